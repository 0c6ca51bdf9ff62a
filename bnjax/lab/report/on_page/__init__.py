"""Figures as Plotly draws them on the page: traces, a layout and frames.

All is plain JSON with the colours of the page in the light; `page.js` swaps
them in the dark and lays panels out in as many columns as there is room for.
"""

import hashlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from bnjax.lab.report import marks
from bnjax.lab.report.marks import Figure
from bnjax.lab.report.on_page.layout import layout_of, slider
from bnjax.lab.report.on_page.numbers import markup_free, short
from bnjax.lab.report.on_page.traces import text, traces

__all__ = ["short", "to_plotly"]

Json = dict[str, Any]

_NOTHING: Json = {"x": [], "y": []}


def to_plotly(
  figure: Figure, frames: Mapping[str, Figure] | None = None
) -> Json:
  """What `Plotly.newPlot` takes: {"data", "layout", "frames"}, without markup.

  Frames are what a slider leads to, by label; `figure` is the last of them.
  """
  data = _data(figure)
  layout = layout_of(figure)
  made: list[Json] = []
  if frames and len(frames) > 1:
    places = {trace["uid"]: i for i, trace in enumerate(data)}
    for label, other in frames.items():
      own = {trace["uid"]: trace for trace in _data(other)}
      kept = [_moving(own.get(uid, {})) for uid in places]
      made.append({"name": label, "data": kept, "traces": [*places.values()]})
    layout["sliders"] = [slider(list(frames))]
  for trace in data:
    del trace["meta"]["role"]
  return {"data": data, "layout": layout, "frames": made}


def _data(figure: Figure) -> list[Json]:
  data: list[Json] = []
  counts: dict[str, int] = {}
  listed = set()
  direct = _are_labelled(figure)
  for place, panel in enumerate(figure.panels):
    end = str(place + 1) if place else ""
    for mark in panel.marks:
      name = getattr(mark, "name", "")
      for trace in traces(mark):
        meta = {"panel": panel.title, "name": name} | trace.pop("meta", {})
        key = f"{place}/{name}/{meta['role']}"
        counts[key] = counts.get(key, 0) + 1
        group = name.removesuffix(", published")
        trace |= {
          "name": markup_free(name),
          "legendgroup": markup_free(group),
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
  return not apart and all(len(mark.label) <= marks.SHORT for mark in lines)


def _end_label(mark: marks.Line, key: str, end: str) -> Json:
  there = np.flatnonzero(np.isfinite(mark.y))[-1]
  x, y = float(mark.x[there]), float(mark.y[there])
  axes = {"xaxis": f"x{end}", "yaxis": f"y{end}", "uid": _uid(f"{key}/label")}
  return (
    text(x, y, mark.label, mark.color)
    | axes
    | {"showlegend": False, "name": mark.label}
  )


def _moving(trace: Json) -> Json:
  """What of a trace changes from frame to frame."""
  parts = ("x", "y", "z", "customdata")
  return {part: trace[part] for part in parts if part in trace} or _NOTHING
