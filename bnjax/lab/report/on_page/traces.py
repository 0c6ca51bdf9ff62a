"""Plotly's traces of each mark; `meta` says what `page.js` knows them by."""

import functools
from typing import Any

import numpy as np

from bnjax.lab.report import marks
from bnjax.lab.report.on_page.numbers import markup_free, short
from bnjax.lab.report.style import BAND, PAGE, RIDGE, SOFT
from bnjax.lab.results.aggregate import spaced

Json = dict[str, Any]

_STEPS = 500  # of a line
_SYMBOLS = {
  "o": "circle", "s": "square", "^": "triangle-up", "v": "triangle-down",
  "D": "diamond", "X": "x", ">": "triangle-right", "<": "triangle-left",
}  # fmt: skip


@functools.singledispatch
def traces(mark: Any) -> list[Json]:
  """The traces of a mark; `meta["role"]` tells them apart."""
  raise TypeError(f"{type(mark).__name__} is no mark")


@traces.register
def _line(mark: marks.Line) -> list[Json]:
  kept = spaced(len(mark.x), _STEPS)
  x, color, found = short(mark.x[kept]), mark.color, []
  says = [""] * len(kept)
  if mark.low is not None and mark.high is not None:
    low, high = mark.low[kept], mark.high[kept]
    corners = _band(mark.x[kept], low, high)
    found.append(_area("band", *corners, color, BAND) | {"hoverinfo": "skip"})
    if mark.seeds:
      found[0]["meta"]["over"] = "band"
      pairs = zip(low.tolist(), high.tolist(), strict=True)
      says = [f" ({a:.4g} to {b:.4g})" for a, b in pairs]
  for seed, own in mark.seeds.items():
    name, mode = f"seed {seed}", "lines" if len(kept) > 1 else "lines+markers"
    says_seed = _hover(f"%{{fullData.name}}, {name}: %{{y:.4~g}}")
    trace = _scatter(name, x, short(own[kept]), mode, of=name)
    trace |= {"line": {"color": color, "width": 1.3}, "opacity": 0}
    trace["meta"]["seed"] = seed
    found.append(trace | {"hoverinfo": "skip", **says_seed})
  hollow, role = mark.symbol == "D", "dashed" if mark.dashed else "mean"
  mode = "lines+markers" if mark.symbol else "lines"
  trace = _scatter(role, x, short(mark.y[kept]), mode)
  if mark.seeds:
    trace["meta"]["over"] = "mean"
  else:
    trace["meta"]["of"] = "published" if hollow else ""
  width = (1.3 if mark.dashed else 2.2) * mark.width
  line = {"color": color, "width": width}
  trace["line"] = line | ({"dash": "dash"} if mark.dashed else {})
  trace["marker"] = {
    "symbol": _SYMBOLS.get(mark.symbol, "circle"), "size": 7,
    "color": PAGE if hollow else color,
    "line": {"color": color, "width": 1.2 if hollow else 0},
    "maxdisplayed": 0 if mark.every == 1 else 8,
  }  # fmt: skip
  trace["customdata"] = says
  return [*found, trace | _hover("%{fullData.name}: %{y:.4~g}%{customdata}")]


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


def text(x: float, y: float, text: str, color: str, size: int = 12) -> Json:
  """A text at the right of a point."""
  trace = _scatter("label", [short(x)], [short(y)], "text")
  font = {"color": color, "size": size}
  return trace | {"text": [markup_free(text)], "textposition": "middle right",
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


@traces.register
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
  says = [markup_free(f", {text}" if text else "") for text in mark.says]
  trace |= {"cliponaxis": False, "customdata": says or [""] * len(mark.x)}
  trace |= _hover(f"%{{fullData.name}}%{{customdata}}: %{{{mark.along}:.5~g}}")
  if mark.color == PAGE:
    trace |= {"hoverinfo": "skip", "meta": {"role": "arrow"}}
  if mark.error is not None:
    bars = {"type": "data", "array": short(mark.error), "color": mark.color}
    trace[f"error_{mark.along}"] = bars | {"thickness": 1.2, "width": 4}
  return [trace]


@traces.register
def _interval(mark: marks.Interval) -> list[Json]:
  ends = short([mark.low, mark.high], 7)
  trace = _scatter("interval", ends, [mark.place] * 2, of="95% interval")
  line = {"color": mark.color, "width": 8}
  return [trace | {"line": line, "opacity": 0.3, "hoverinfo": "skip"}]


@traces.register
def _level(mark: marks.Level) -> list[Json]:
  return []  # A shape of the layout: it reaches over the whole panel.


@traces.register
def _bar(mark: marks.Bar) -> list[Json]:
  look: Json = {"color": mark.color, "opacity": 0.5, "line": {
    "color": mark.color, "width": 1}}  # fmt: skip
  if mark.bound:
    look["pattern"] = {"shape": "/", "fgcolor": mark.color, "bgcolor": PAGE,
                       "size": 7, "solidity": 0.25}  # fmt: skip
  trace = _scatter("bar", [short(mark.length)], [mark.place], of="mean")
  trace |= {"type": "bar", "orientation": "h", "width": 0.62, "marker": look}
  trace |= _hover(f"%{{fullData.name}}: {markup_free(mark.text)}")
  del trace["mode"]
  return [trace, text(mark.end, mark.place, f"  {mark.text}", SOFT, 11)]


@traces.register
def _ridge(mark: marks.Ridge) -> list[Json]:
  trace = _area("ridge", *mark.outline(), mark.color, RIDGE)
  trace["meta"]["of"] = "density"
  note = f"<br>{markup_free(mark.note)}" if mark.note else ""
  said = "%{fullData.name}: density %{customdata:.3~g}<br>at %{x:.3~g}"
  density = short(np.r_[0.0, np.repeat(mark.density, 2), 0.0])
  return [trace | {"hoveron": "points", "customdata": density}
          | _hover(said + note)]  # fmt: skip


@traces.register
def _cells(mark: marks.Cells) -> list[Json]:
  few = max(mark.values.shape) <= 6
  heat = {
    "type": "heatmap", "z": short(mark.values), "coloraxis": "coloraxis",
    "xgap": 1, "ygap": 1, "hoverongaps": True,
    "texttemplate": "%{z:.3~g}" if few else "",
    "customdata": [[markup_free(text) for text in row] for row in mark.says],
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
