"""Plotly's layout of a figure: axes, titles, levels, buttons and the slider."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from bnjax.lab.report import marks
from bnjax.lab.report.marks import Figure
from bnjax.lab.report.on_page.numbers import markup_free
from bnjax.lab.report.style import FRAME, SOFT
from bnjax.lab.report.wording import number_text

Json = dict[str, Any]

_INCH = 112  # pixels on the page


def layout_of(figure: Figure) -> Json:
  """The layout but for its size, which `page.js` knows, and `look.json`."""
  several = len(figure.panels) > 1 or bool(figure.title)
  lines = len(figure.marks(marks.Line))
  closest = not 0 < lines <= 8 * len(figure.panels)
  meta: Json = {
    "panels": len(figure.panels), "columns": figure.columns,
    "least": figure.least * _INCH, "height": figure.height * _INCH,
    "share": figure.share, "names": {}, "titled": several,
    "seeds": list(dict.fromkeys(
      seed for line in figure.marks(marks.Line) for seed in line.seeds)),
  }  # fmt: skip
  layout: Json = {"hovermode": "closest" if closest else "x unified",
                  "annotations": [], "shapes": [], "meta": meta}  # fmt: skip
  for place, panel in enumerate(figure.panels):
    end = str(place + 1) if place else ""
    for letter in ("x", "y"):
      own = getattr(panel, letter)
      axis = _axis(own, letter) | _ticks(panel, letter, own.log)
      if place and letter in figure.share:
        axis["matches"] = letter
      layout[f"{letter}axis{end}"] = axis
      if own.names:
        meta["names"][f"{letter}{end}"] = list(own.names)
    above = {"xref": f"x{end} domain", "yref": f"y{end} domain"}
    if several and panel.title:
      title = {"text": f"<b>{markup_free(panel.title)}</b>"}
      layout["annotations"].append(above | title)
    if panel.note:
      note = {"text": markup_free(panel.note), "x": 1, "xanchor": "right"}
      soft = {"font": {"color": SOFT, "size": 11}}
      layout["annotations"].append(above | note | soft)
    for mark in panel.marks:
      if isinstance(mark, marks.Level):
        layout["shapes"] += _dashes(mark, end)
  if menus := _switches(figure):
    layout["updatemenus"] = menus
  if cells := figure.marks(marks.Cells):
    layout["plot_bgcolor"] = FRAME
    label = {"title": {"text": markup_free(cells[0].label)}}
    layout["coloraxis"] = {
      "cmin": cells[0].low, "cmax": cells[0].high, "colorbar": label,
    }  # fmt: skip
  return layout


def _axis(own: marks.Axis, letter: str) -> Json:
  axis: Json = {
    "title": {"text": markup_free(own.label)},
    "type": "log" if own.log else "linear",
    **_range(own, own.log),
  }
  if own.names:
    shown = own.shown()
    axis |= {
      "tickvals": shown,
      "ticktext": [markup_free(own.names[place]) for place in shown],
      "showgrid": False,
      "fixedrange": letter == "y",
    }
  elif own.ticks:
    axis |= {
      "tickvals": list(own.ticks),
      "ticktext": [number_text(tick) for tick in own.ticks],
    }
  elif own.powers:
    axis |= {"tickprefix": "10<sup>", "ticksuffix": "</sup>", "nticks": 4,
             "showgrid": False}  # fmt: skip
  return axis


def _range(own: marks.Axis, log: bool) -> Json:
  """The range of an axis; none where it follows the marks."""
  if log:
    if own.low and own.high and own.low > 0:
      return {"range": [math.log10(own.low), math.log10(own.high)]}
    return {"autorange": True}
  if own.low is None and own.high is None:
    return {"autorange": True}
  return {"range": [own.low, own.high]}


def _ticks(panel: marks.Panel, letter: str, log: bool) -> Json:
  """Ticks of a logarithmic axis at 1, 2 and 5, or at decades where many."""
  own = getattr(panel, letter)
  if own.names or own.ticks or own.powers:
    return {}
  found = [getattr(m, letter) for m in panel.marks
           if isinstance(m, marks.Line | marks.Points)]  # fmt: skip
  values = np.concatenate(found or [np.ones(1)])
  values = values[np.isfinite(values) & (values > 0)]
  if not (log and values.size):
    return {"dtick": None}
  span = math.log10(values.max() / values.min())
  return {"dtick": "D2" if span < 2 else max(1, math.ceil(span / 7))}


def _dashes(mark: marks.Level, end: str) -> list[Json]:
  """A dashed line at each level."""
  levels = [mark.low] if mark.high is None else [mark.low, mark.high]
  line = {"color": mark.color, "width": 1.2, "dash": "dash"}
  return [
    {"type": "line", "xref": f"x{end} domain", "yref": f"y{end}", "x0": 0,
     "x1": 1, "y0": level, "y1": level, "line": line, "layer": "below"}
    for level in levels
  ]  # fmt: skip


def _switches(figure: Figure) -> list[Json]:
  """A button for each axis that may be linear or logarithmic."""
  buttons = []
  panels = {str(i + 1) if i else "": p for i, p in enumerate(figure.panels)}
  for letter in "xy":
    there = [
      (end, getattr(panel, letter))
      for end, panel in panels.items()
      if getattr(panel, letter).switch
    ]
    if not there:
      continue
    to: dict[bool, Json] = {}
    for log in (True, False):
      to[log] = {}
      for end, own in there:
        name = f"{letter}axis{end}"
        to[log][f"{name}.type"] = "log" if log else "linear"
        found = _range(own, log) | _ticks(panels[end], letter, log)
        for key, value in found.items():
          to[log][f"{name}.{key}"] = value
    now = there[0][1].log
    buttons.append(
      {"label": f"log {letter}", "method": "relayout",
       "args": [to[not now]], "args2": [to[now]]}
    )  # fmt: skip
  # Each by itself: of several in one menu Plotly knows one as pressed.
  return [
    {"buttons": [button], "x": 0, "xanchor": "left", "pad": {"l": 62 * place},
     "showactive": False, "active": -1}
    for place, button in enumerate(buttons)
  ]  # fmt: skip


def slider(labels: Sequence[str]) -> Json:
  """The slider to frames of these names, at the last one."""
  how = {"mode": "immediate", "frame": {"duration": 0, "redraw": True},
         "transition": {"duration": 0}}  # fmt: skip
  longest = max(map(len, labels))
  return {
    "active": len(labels) - 1,
    # Long ones stand above the slider alone.
    "font": {"size": 10 if longest <= 16 else 1},
    "steps": [
      {"label": markup_free(label), "method": "animate", "args": [[label], how]}
      for label in labels
    ],
  }
