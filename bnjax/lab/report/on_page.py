"""Figures as Plotly draws them on the page: traces, a layout and frames.

All is plain JSON with the colours of the page in the light; `page.js` swaps
them in the dark and lays panels out in as many columns as there is room for.
"""

import functools
import hashlib
import html
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from bnjax.lab.report import marks
from bnjax.lab.report.marks import Figure
from bnjax.lab.report.style import FRAME, PAGE, SOFT
from bnjax.lab.report.wording import number_text

Json = dict[str, Any]

_INCH = 112  # pixels on the page
_STEPS = 500  # of a line
_SHORT = 6  # characters of a name that stands at the end of its line
_NOTHING: Json = {"x": [], "y": []}
_SYMBOLS = {
  "o": "circle", "s": "square", "^": "triangle-up", "v": "triangle-down",
  "D": "diamond", "X": "x", ">": "triangle-right", "<": "triangle-left",
}  # fmt: skip


def to_plotly(
  figure: Figure, frames: Mapping[str, Figure] | None = None
) -> Json:
  """What `Plotly.newPlot` takes, and the caption.

  Args:
    figure: what is shown first.
    frames: what a slider leads to, by label; `figure` is the last of them.

  Returns:
    {"data", "layout", "frames"}; names in it cannot be markup.
  """
  data = _data(figure)
  layout = _layout(figure)
  made: list[Json] = []
  if frames and len(frames) > 1:
    places = {trace["uid"]: i for i, trace in enumerate(data)}
    for label, other in frames.items():
      own = {trace["uid"]: trace for trace in _data(other)}
      kept = [_moving(own.get(uid, {})) for uid in places]
      made.append({"name": label, "data": kept, "traces": [*places.values()]})
    layout["sliders"] = [_slider(list(frames))]
  if menus := _switches(figure):
    layout["updatemenus"] = menus
  for trace in data:
    del trace["meta"]["role"]
  return {"data": data, "layout": layout, "frames": made}


def short(values: Any, digits: int = 5) -> Any:
  """Nested lists of an array's numbers, of so many significant digits.

  >>> short(np.array([[1 / 3, np.nan], [2.0, 1e-30]]))
  [[0.33333, None], [2, 1e-30]]
  """
  if isinstance(values, np.ndarray):
    values = values.tolist()
  if isinstance(values, list | tuple):
    return [short(value, digits) for value in values]
  if values is None or not math.isfinite(values):
    return None
  number = float(f"{values:.{digits}g}")
  return int(number) if number.is_integer() and abs(number) < 1e6 else number


def spaced(count: int, most: int) -> list[int]:
  """Evenly spaced places, the first and the last among them.

  >>> spaced(3, 5), spaced(100, 4)
  ([0, 1, 2], [0, 33, 66, 99])
  """
  if count <= most:
    return list(range(count))
  found = np.linspace(0, count - 1, max(2, most)).round().astype(int)
  return [int(place) for place in np.unique(found)]


def _plain(text: str) -> str:
  """Text for Plotly, which reads some markup in it."""
  return html.escape(text, quote=False).replace("\n", "<br>")


def _data(figure: Figure) -> list[Json]:
  data: list[Json] = []
  counts: dict[str, int] = {}
  listed = set()
  direct = _are_labelled(figure)
  for place, panel in enumerate(figure.panels):
    end = str(place + 1) if place else ""
    for mark in panel.marks:
      name = getattr(mark, "name", "")
      for trace in _traces(mark):
        meta = {"panel": panel.title, "name": name} | trace.pop("meta", {})
        key = f"{place}/{name}/{meta['role']}"
        counts[key] = counts.get(key, 0) + 1
        group = name.removesuffix(", published")
        trace |= {
          "name": _plain(name),
          "legendgroup": _plain(group),
          "uid": _uid(f"{key}/{counts[key]}"),
          "xaxis": f"x{end}",
          "yaxis": f"y{end}",
          "meta": meta,
          "showlegend": meta["role"] == "mean"
          and not direct
          and group not in listed,
        }
        if trace["showlegend"]:
          listed.add(group)
        data.append(trace)
      if direct and isinstance(mark, marks.Line) and mark.label:
        data.append(_end_label(mark, f"{place}/{name}", end))
  return data


def _uid(key: str) -> str:
  """What Plotly knows a trace by from frame to frame, fit for a selector."""
  return f"t{hashlib.sha256(key.encode()).hexdigest()[:16]}"


def _are_labelled(figure: Figure) -> bool:
  """Whether names stand at the ends of lines, as colours do not tell them."""
  lines = [m for m in figure.marks(marks.Line) if m.label]
  pairs = {(mark.name, mark.color) for mark in lines}
  apart = len({n for n, _ in pairs}) == len({c for _, c in pairs}) == len(pairs)
  return not apart and all(len(mark.label) <= _SHORT for mark in lines)


def _end_label(mark: marks.Line, key: str, end: str) -> Json:
  there = np.flatnonzero(np.isfinite(mark.y))[-1]
  x, y = float(mark.x[there]), float(mark.y[there])
  axes = {"xaxis": f"x{end}", "yaxis": f"y{end}", "uid": _uid(f"{key}/label")}
  return (
    _text(x, y, mark.label, mark.color)
    | axes
    | {"showlegend": False, "name": mark.label}
  )


def _moving(trace: Json) -> Json:
  """What of a trace changes from frame to frame."""
  parts = ("x", "y", "z", "customdata")
  return {part: trace[part] for part in parts if part in trace} or _NOTHING


@functools.singledispatch
def _traces(mark: Any) -> list[Json]:
  raise TypeError(f"{type(mark).__name__} is no mark")


@_traces.register
def _line(mark: marks.Line) -> list[Json]:
  kept = spaced(len(mark.x), _STEPS)
  x, color, traces = short(mark.x[kept]), mark.color, []
  says = [""] * len(kept)
  if mark.low is not None and mark.high is not None:
    low, high = mark.low[kept], mark.high[kept]
    corners = _band(mark.x[kept], low, high)
    traces.append(_area("band", *corners, color, 0.16) | {"hoverinfo": "skip"})
    if mark.seeds:
      traces[0]["meta"]["over"] = "band"
      pairs = zip(low.tolist(), high.tolist(), strict=True)
      says = [f" ({a:.4g} to {b:.4g})" for a, b in pairs]
  for seed, own in mark.seeds.items():
    name, mode = f"seed {seed}", "lines" if len(kept) > 1 else "lines+markers"
    says_seed = _hover(f"%{{fullData.name}}, {name}: %{{y:.4~g}}")
    trace = _scatter(name, x, short(own[kept]), mode, of=name)
    trace |= {"line": {"color": color, "width": 1.3}, "opacity": 0}
    trace["meta"]["seed"] = seed
    traces.append(trace | {"hoverinfo": "skip", **says_seed})
  hollow, role = mark.symbol == "D", "dashed" if mark.dashed else "mean"
  mode = "lines+markers" if mark.symbol else "lines"
  trace = _scatter(role, x, short(mark.y[kept]), mode)
  if mark.seeds:
    trace["meta"]["over"] = "mean"
  else:
    trace["meta"]["of"] = "published" if hollow else ""
  line = {"color": color, "width": 2.2 * mark.width}
  trace["line"] = line | ({"dash": "dash", "width": 1.3} if mark.dashed else {})
  trace["marker"] = {
    "symbol": _SYMBOLS.get(mark.symbol, "circle"), "size": 7,
    "color": PAGE if hollow else color,
    "line": {"color": color, "width": 1.2 if hollow else 0},
    "maxdisplayed": 0 if len(kept) <= 20 else 8,
  }  # fmt: skip
  trace["customdata"] = says
  text = "%{fullData.name}: %{y:.4~g}%{customdata}"
  return [*traces, trace | _hover(text)]


def _scatter(
  role: str, x: Any, y: Any, mode: str = "lines", of: str | None = None
) -> Json:
  """A trace; `of` is what its rows are called in a file, if it is in one."""
  meta = {"role": role} | ({} if of is None else {"of": of})
  return {"type": "scatter", "mode": mode, "x": x, "y": y, "meta": meta}


def _area(role: str, x: Any, y: Any, color: str, opacity: float) -> Json:
  look = {"fill": "toself", "fillcolor": color, "opacity": opacity}
  return _scatter(role, short(x), short(y)) | look | {"line": {"width": 0}}


def _hover(text: str) -> Json:
  return {"hovertemplate": f"{text}<extra></extra>"}


def _text(x: float, y: float, text: str, color: str, size: int = 12) -> Json:
  """A text at the right of a point."""
  trace = _scatter("label", [short(x)], [short(y)], "text")
  font = {"color": color, "size": size}
  return trace | {"text": [_plain(text)], "textposition": "middle right",
                  "textfont": font, "cliponaxis": False,
                  "hoverinfo": "skip"}  # fmt: skip


def _band(
  x: np.ndarray, low: np.ndarray, high: np.ndarray
) -> tuple[list[Any], list[Any]]:
  """The area between two lines, in pieces where either has no value."""
  there = np.isfinite(low) & np.isfinite(high)
  edges = np.flatnonzero(np.diff(np.r_[False, there, False].astype(int)))
  corners: tuple[list[Any], list[Any]] = ([], [])
  for start, stop in edges.reshape(-1, 2):
    piece = slice(start, stop)
    gap = [None] if corners[0] else []
    corners[0].extend([*gap, *x[piece], *x[piece][::-1]])
    corners[1].extend([*gap, *high[piece], *low[piece][::-1]])
  return corners


@_traces.register
def _points(mark: marks.Points) -> list[Json]:
  role = "mean" if mark.label else f"points {mark.symbol}{mark.filled:d}"
  x, y = short(mark.x, 7), short(mark.y, 7)
  trace = _scatter(role, x, y, "markers", of="")
  hollow = PAGE if mark.symbol == "D" else "rgba(0,0,0,0)"
  edge = PAGE if mark.symbol == "X" else mark.color
  trace["marker"] = {
    "symbol": _SYMBOLS[mark.symbol], "size": 1.7 * mark.size,
    "color": mark.color if mark.filled else hollow,
    "line": {"color": edge, "width": 1.2},
  }  # fmt: skip
  says = [_plain(f", {text}" if text else "") for text in mark.says]
  trace |= {"cliponaxis": False, "customdata": says or [""] * len(mark.x)}
  text = f"%{{fullData.name}}%{{customdata}}: %{{{mark.along}:.5~g}}"
  trace |= _hover(text)
  if mark.color == PAGE:
    trace |= {"hoverinfo": "skip", "meta": {"role": "arrow"}}
  if mark.error is not None:
    bars = {"type": "data", "array": short(mark.error), "color": mark.color}
    trace[f"error_{mark.along}"] = bars | {"thickness": 1.2, "width": 4}
  return [trace]


@_traces.register
def _interval(mark: marks.Interval) -> list[Json]:
  ends = short([mark.low, mark.high], 7)
  trace = _scatter("interval", ends, [mark.place] * 2, of="95% interval")
  line = {"color": mark.color, "width": 8}
  return [trace | {"line": line, "opacity": 0.3, "hoverinfo": "skip"}]


@_traces.register
def _level(mark: marks.Level) -> list[Json]:
  return []  # A shape of the layout: it reaches over the whole panel.


@_traces.register
def _bar(mark: marks.Bar) -> list[Json]:
  look: Json = {"color": mark.color, "opacity": 0.5, "line": {
    "color": mark.color, "width": 1}}  # fmt: skip
  if mark.bound:
    look["pattern"] = {"shape": "/", "fgcolor": mark.color, "bgcolor": PAGE,
                       "size": 7, "solidity": 0.25}  # fmt: skip
  trace = _scatter("bar", [short(mark.length)], [mark.place], of="mean")
  trace |= {"type": "bar", "orientation": "h", "width": 0.62, "marker": look}
  trace |= _hover(f"%{{fullData.name}}: {_plain(mark.text)}")
  del trace["mode"]
  return [trace, _text(mark.end, mark.place, f"  {mark.text}", SOFT, 11)]


@_traces.register
def _ridge(mark: marks.Ridge) -> list[Json]:
  trace = _area("ridge", *mark.outline(), mark.color, 0.75)
  trace["meta"]["of"] = "density"
  note = f"<br>{_plain(mark.note)}" if mark.note else ""
  text = "%{fullData.name}: density %{customdata:.3~g}<br>at %{x:.3~g}"
  density = short(np.r_[0.0, np.repeat(mark.density, 2), 0.0])
  return [trace | {"hoveron": "points", "customdata": density}
          | _hover(text + note)]  # fmt: skip


@_traces.register
def _cells(mark: marks.Cells) -> list[Json]:
  few = max(mark.values.shape) <= 6
  heat = {
    "type": "heatmap", "z": short(mark.values), "coloraxis": "coloraxis",
    "xgap": 1, "ygap": 1, "hoverongaps": True,
    "texttemplate": "%{z:.3~g}" if few else "",
    "customdata": [[_plain(text) for text in row] for row in mark.says],
    "hovertemplate": "%{customdata}<extra>%{fullData.name}</extra>",
    "meta": {"role": "cells", "of": "mean"},
  }  # fmt: skip
  ends = [p for side in mark.fence() for p in (*side, (None, None))]
  x, y = ([end[k] for end in ends] for k in (0, 1))
  fence = [
    _scatter(f"fence {color}", x, y)
    | {"line": {"color": color, "width": width}, "hoverinfo": "skip"}
    for color, width in (("black", 5), ("white", 2.4))
  ]
  down, across = np.nonzero(mark.crosses)
  beside = (down + 0.27 * few).tolist()  # not upon the number
  crosses = _scatter("crosses", across.tolist(), beside, "markers")
  there = np.isfinite(mark.values[down, across])
  line = {"color": np.where(there, "white", SOFT).tolist(), "width": 1.4}
  sizes = (5 + 5 * mark.crosses[down, across]).tolist()
  look = {"symbol": "x-thin", "size": sizes, "line": line}
  return [heat, *fence, crosses | {"marker": look, "hoverinfo": "skip"}]


def _layout(figure: Figure) -> Json:
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
      title = {"text": f"<b>{_plain(panel.title)}</b>"}
      layout["annotations"].append(above | title)
    if panel.note:
      note = {"text": _plain(panel.note), "x": 1, "xanchor": "right"}
      soft = {"font": {"color": SOFT, "size": 11}}
      layout["annotations"].append(above | note | soft)
    for mark in panel.marks:
      if isinstance(mark, marks.Level):
        layout["shapes"] += _dashes(mark, end)
  if cells := figure.marks(marks.Cells):
    layout["plot_bgcolor"] = FRAME
    label = {"title": {"text": _plain(cells[0].label)}}
    layout["coloraxis"] = {
      "cmin": cells[0].low, "cmax": cells[0].high, "colorbar": label,
    }  # fmt: skip
  return layout


def _axis(own: marks.Axis, letter: str) -> Json:
  axis: Json = {
    "title": {"text": _plain(own.label)},
    "type": "log" if own.log else "linear",
    **_range(own, own.log),
  }
  if own.names:
    shown = own.shown()
    axis |= {
      "tickvals": shown,
      "ticktext": [_plain(own.names[place]) for place in shown],
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


def _slider(labels: Sequence[str]) -> Json:
  how = {"mode": "immediate", "frame": {"duration": 0, "redraw": True},
         "transition": {"duration": 0}}  # fmt: skip
  longest = max(map(len, labels))
  return {
    "active": len(labels) - 1,
    # Long ones stand above the slider alone.
    "font": {"size": 10 if longest <= 16 else 1},
    "steps": [
      {"label": _plain(label), "method": "animate", "args": [[label], how]}
      for label in labels
    ],
  }
