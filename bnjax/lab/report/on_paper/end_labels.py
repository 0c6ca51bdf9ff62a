"""Names of lines at their right ends, moved apart where they would overlap."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.transforms import ScaledTranslation
from scipy import optimize

from bnjax.lab.report.marks import SHORT, Line, Panel, Points

_LONG = 40


def spread(
  places: Sequence[float], gap: float, low: float = 0.0, high: float = 1.0
) -> list[float]:
  """Moves places on a line apart, each as little as that takes.

  It is a regression whose values increase by a gap at least. Where all together
  have no room between the bounds, the gap is what fits.

  >>> spread([0.5, 0.5], 0.25)
  [0.375, 0.625]
  """
  if not len(places):
    return []
  gap = min(gap, (high - low) / max(len(places) - 1, 1))
  order = np.argsort(places, kind="stable")
  shifts = gap * np.arange(order.size)
  wishes = np.asarray(places, np.float64)[order] - shifts
  found = optimize.isotonic_regression(wishes).x
  moved = np.empty(order.size)
  moved[order] = found.clip(low, max(low, high - shifts[-1])) + shifts
  return [float(place) for place in moved]


def label_lines(
  figure: Figure, grid: Sequence[Axes], panels: Sequence[Panel], *, below: bool
) -> None:
  """Writes the labels of lines beside their axes, with thin leaders.

  The figure is complete but for the labels. If `below`, long ones go under the
  last panel, each once; those of points always do.
  """
  dots = {mark.label: mark for panel in panels for mark in panel.marks
          if isinstance(mark, Points) and mark.label}  # fmt: skip
  if len(dots) > 1:
    _label_below(grid[-1], list(dots.values()))
  labelled = [
    [mark for mark in panel.marks if isinstance(mark, Line) and mark.label]
    for panel in panels
  ]
  longest = max((len(m.label) for own in labelled for m in own), default=0)
  if not longest:
    return
  if below and longest > SHORT:
    once = {mark.label: mark for own in labelled for mark in own}
    _label_below(grid[-1], list(once.values()))
    return
  texts = [
    [
      axes.text(
        1.045, 0.5, _cut(mark.label), color=mark.color, va="center",
        transform=axes.transAxes,
      )
      for mark in own
    ]
    for axes, own in zip(grid, labelled, strict=True)
  ]  # fmt: skip
  figure.draw_without_rendering()  # The layout makes room for the texts.
  for axes, own, written in zip(grid, labelled, texts, strict=True):
    box = axes.get_window_extent()
    to_axes = axes.transData + axes.transAxes.inverted()
    x = axes.get_xlim()[1]
    ends = []
    for mark in own:
      finite = mark.y[np.isfinite(mark.y)]
      # One of which nothing can be drawn, all NaN, is named at the foot.
      end = float(to_axes.transform((x, finite[-1]))[1]) if finite.size else 0.0
      ends.append(min(max(end, 0.0), 1.0))
    size = (
      figure.dpi / 72 * float(written[0].get_fontsize()) if written else 1.0
    )
    places = spread(ends, 1.42 * size / max(box.height, 1.0))
    for mark, text, end, place in zip(own, written, ends, places, strict=True):
      text.set_y(place)
      axes.plot(
        [1.005, 1.035], [end, place], color=mark.color, linewidth=0.7,
        transform=axes.transAxes, clip_on=False, scalex=False, scaley=False,
      )  # fmt: skip


def _cut(name: str) -> str:
  return name if len(name) <= _LONG else f"{name[: _LONG - 1]}…"


def _label_below(axes: Axes, lines: Sequence[Line | Points]) -> None:
  """Names every line once, in a legend under the last panel."""
  handles = [
    Line2D(
      [], [], color=mark.color,
      linestyle="-" if isinstance(mark, Line) else "none",
      marker=mark.symbol, markersize=3.5,
      markeredgecolor="white", markeredgewidth=0.4, label=_cut(mark.label),
    )
    for mark in lines
  ]  # fmt: skip
  longest = max(len(_cut(mark.label)) for mark in lines)
  shift = ScaledTranslation(0, -28 / 72, axes.figure.dpi_scale_trans)
  axes.legend(
    handles=handles,
    loc="upper left",
    bbox_to_anchor=(0, 0),
    bbox_transform=axes.transAxes + shift,
    borderaxespad=0,
    borderpad=0,
    ncols=max(1, int(2.75 / (0.3 + 0.055 * longest))),
    frameon=False,
    fontsize=6.5,
    handlelength=1.6,
    columnspacing=1.2,
    labelspacing=0.3,
  )
