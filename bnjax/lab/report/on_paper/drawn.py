"""What Matplotlib draws of each mark."""

import functools
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection

from bnjax.lab.report import marks
from bnjax.lab.report.on_paper.axes import wrapped
from bnjax.lab.report.style import BAND, RIDGE, SOFT, TEXT

_DASHES: Any = (0, (4, 3))


@functools.singledispatch
def draw_mark(mark: Any, axes: Axes) -> None:
  """Draws a mark."""
  raise TypeError(f"{type(mark).__name__} is no mark")


@draw_mark.register
def _line(mark: marks.Line, axes: Axes) -> None:
  if mark.low is not None and mark.high is not None:
    axes.fill_between(
      mark.x, mark.low, mark.high, color=mark.color, alpha=BAND, linewidth=0
    )
  width = matplotlib.rcParams["lines.linewidth"] * mark.width
  axes.plot(
    mark.x,
    mark.y,
    color=mark.color,
    linewidth=mark.width if mark.dashed else width,
    linestyle=_DASHES if mark.dashed else "-",
    marker=mark.symbol,
    markersize=3.2 if mark.symbol == "D" else 4,
    markerfacecolor="white" if mark.symbol == "D" else mark.color,
    markeredgecolor=mark.color if mark.symbol == "D" else "white",
    markeredgewidth=0.7,
    markevery=mark.every,
    clip_on=np.count_nonzero(np.isfinite(mark.y)) > 1,
    scalex=not mark.dashed,
    zorder=4 if mark.dashed else 3,
  )


@draw_mark.register
def _points(mark: marks.Points, axes: Axes) -> None:
  bars: dict[str, Any] = {f"{mark.along}err": mark.error}
  cross = mark.symbol == "X"
  hollow = "white" if mark.symbol == "D" else "none"
  drawn = axes.errorbar(
    mark.x,
    mark.y,
    **bars,
    linestyle="none",
    color=mark.color,
    marker=mark.symbol,
    markersize=mark.size,
    markerfacecolor=mark.color if mark.filled else hollow,
    markeredgecolor="white" if cross else mark.color,
    markeredgewidth=0.8 if cross else 0.7,
    elinewidth=1,
    capsize=2.2,
    zorder=6 if cross or mark.symbol == "D" else 5,
    clip_on=False,
  )
  for artist in drawn.get_children():  # it may lie beyond the axes
    artist.set_in_layout(False)


@draw_mark.register
def _interval(mark: marks.Interval, axes: Axes) -> None:
  ends = [mark.low, mark.high], [mark.place] * 2
  axes.plot(*ends, color=mark.color, linewidth=5, alpha=0.25,
            solid_capstyle="round")  # fmt: skip


@draw_mark.register
def _level(mark: marks.Level, axes: Axes) -> None:
  if mark.high is not None:
    axes.axhspan(mark.low, mark.high, color=mark.color, alpha=0.1, zorder=0)
  for level in (mark.low, mark.high):
    if level is not None:
      axes.axhline(level, color=mark.color, linewidth=1, linestyle=_DASHES,
                   zorder=2)  # fmt: skip


@draw_mark.register
def _bar(mark: marks.Bar, axes: Axes) -> None:
  axes.barh(
    mark.place,
    mark.length,
    height=0.62,
    color=(mark.color, 0.08 if mark.bound else 0.4),
    edgecolor=(mark.color, 0.45),
    hatch="////" if mark.bound else None,
    linewidth=0,
  )
  axes.annotate(
    mark.text, (mark.end, mark.place), xytext=(5, 0),
    textcoords="offset points", va="center", fontsize=7, color=SOFT,
    annotation_clip=False,
  )  # fmt: skip


@draw_mark.register
def _ridge(mark: marks.Ridge, axes: Axes) -> None:
  x, y = mark.outline()
  axes.fill_between(x, y, y[0], color=mark.color, alpha=RIDGE, linewidth=0)
  axes.axhline(y[0], color="#999999", linewidth=0.5, zorder=1)
  if mark.note:  # on the side where there is room
    left = (
      mark.density.argmax() > 0.4 * mark.density.size or not mark.density.any()
    )
    axes.text(
      0.02 if left else 0.98, mark.place - 0.25, mark.note, fontsize=6,
      color=SOFT, ha="left" if left else "right",
      transform=axes.get_yaxis_transform(),
    )  # fmt: skip


@draw_mark.register
def _cells(mark: marks.Cells, axes: Axes) -> None:
  rows, columns = mark.values.shape
  edges = np.arange(columns + 1) - 0.5, np.arange(rows + 1) - 0.5
  mesh = axes.pcolormesh(
    *edges,
    np.ma.masked_invalid(mark.values),
    cmap="viridis",
    vmin=mark.low,
    vmax=mark.high,
    edgecolors="face",
    linewidth=0.2,
  )
  axes.set_facecolor("#d9d9d9")
  axes.spines[:].set_visible(False)
  fence = mark.fence()
  for color, width in ((TEXT, 2.8), ("white", 1.3)):
    axes.add_collection(
      LineCollection(
        fence, colors=color, linewidths=width, capstyle="round", zorder=5
      )
    )
  side = min(190 / max(rows, columns), 20.0)  # points, of a cell
  for y, x in zip(*np.nonzero(mark.crosses), strict=True):
    size = side * (0.16 + 0.2 * mark.crosses[y, x])
    for color, width in (("#00000055", size / 4.5), ("white", size / 9)):
      axes.plot(
        x, y, marker="x", markersize=size, color=color,
        markeredgewidth=max(width, 0.5), zorder=6,
      )  # fmt: skip
  if max(rows, columns) <= 6:
    for (y, x), value in np.ndenumerate(mark.values):
      if np.isfinite(value):
        red, green, blue, _ = mesh.to_rgba(value)
        light = 0.3 * red + 0.59 * green + 0.11 * blue > 0.5
        axes.text(
          x, y + (0.2 if mark.crosses[y, x] else 0), f"{value:.3g}",
          ha="center", va="center", fontsize=7,
          color=TEXT if light else "white",
        )  # fmt: skip


def colour_bar(axes: Axes, cells: marks.Cells) -> None:
  """Draws the bar of the colours of cells, beside their panel."""
  side = axes.inset_axes((1.05, 0, 0.05, 1))
  bar = axes.figure.colorbar(axes.collections[0], cax=side)
  bar.outline.set_visible(False)
  bar.set_label(wrapped(cells.label, 42))
  side.tick_params(length=0)
  if cells.threshold is not None and cells.low < cells.threshold < cells.high:
    side.axhline(cells.threshold, color=TEXT, linewidth=2.6)
    side.axhline(cells.threshold, color="white", linewidth=1.2)
