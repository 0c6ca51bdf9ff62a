"""A metric over two fields of the grid: where an arm trains and where not."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib import patheffects, ticker
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure

from bnjax.lab.report.drawing import (
  Run,
  add_caption,
  add_title,
  is_narrow,
  new_figure,
  number_text,
  plural,
  unit,
)
from bnjax.lab.report.style import COLORMAP, GREY, LIGHT
from bnjax.lab.results.figure_kinds import HeatMap
from bnjax.lab.results.grids import Grid
from bnjax.lab.results.names import is_fraction, words
from bnjax.lab.results.points import common_ratio

_PANEL = 2.75  # inches, a panel's side
_WRITTEN = 6  # cells a side: with more, numbers would not be legible


class _Map(NamedTuple):
  """What one panel shows.

  Attributes:
    x: values of its field.
    y: likewise.
    mean: [y, x], over finite seeds; NaN without any.
    diverged: [y, x], share of the runs.
    trained: share of all runs that reach the threshold.
    seeds: how many each cell has.
    best_of: how many points of further fields each cell is the best of.
    step: the training step.
  """

  x: tuple[Any, ...]
  y: tuple[Any, ...]
  mean: np.ndarray
  diverged: np.ndarray
  trained: float
  seeds: int
  best_of: int
  step: int


def draw(run: Run, options: HeatMap) -> Figure | None:
  """Draws a panel an arm; None if none of them has a grid of these fields."""
  panels: list[tuple[str, _Map]] = []
  for arm in run.arms(options.arms):
    grid = run.measured.grids.get(arm)
    if grid is None or not {options.x, options.y} <= {*grid.fields}:
      continue
    if (found := _map(grid, options)) is not None:
      panels.append((arm, found))
  if not panels:
    return None
  grid = run.measured.grids[panels[0][0]]
  metric = options.metric or grid.metric
  threshold = grid.threshold if options.threshold is None else options.threshold
  low, high = _limits(metric, [found for _, found in panels], options)
  columns = len(panels) if len(panels) <= 3 else -(-len(panels) // 2)
  columns = min(columns, 1 if is_narrow() else 4)
  lines = -(-len(panels) // columns)
  figure = new_figure(
    1.0 + 0.3 * bool(options.title) + (_PANEL + 0.25) * lines,
    1.55 + (_PANEL + 0.1) * columns,
  )
  figure.set_layout_engine("constrained", h_pad=0.07, wspace=0.05, hspace=0.05)
  places = figure.subplots(
    lines, columns, squeeze=False, sharex=True, sharey=True
  )
  for axes, (arm, found) in zip(places.ravel(), panels, strict=False):
    image = _draw(axes, found, threshold, low, high)
    axes.set_title(arm, parse_math=False, pad=7)
    axes.set_title(
      f"{found.trained:.0%} train",
      loc="right",
      fontsize=7.5,
      color=GREY,
      weight="normal",
      pad=7,
    )
  _label_axes(places, panels[0][1], len(panels), options)
  corner = places[0, columns - 1]
  side = corner.inset_axes([1.05, 0, 0.05, 1])
  bar = figure.colorbar(image, cax=side)
  bar.outline.set_visible(False)
  bar.set_label(_bar_label(metric), parse_math=False)
  side.tick_params(length=0)
  if low < threshold < high:
    side.axhline(threshold, color="#222222", linewidth=2.6)
    side.axhline(threshold, color="white", linewidth=1.2)
  add_title(figure, options.title)
  add_caption(figure, _caption([found for _, found in panels], threshold))
  return figure


def _label_axes(
  places: np.ndarray, first: _Map, panels: int, options: HeatMap
) -> None:
  """Names and ticks at the left and below; none where there is no panel."""
  columns = places.shape[1]
  for place, axes in enumerate(places.ravel()):
    if place >= panels:
      axes.set_axis_off()
      continue
    if place + columns >= panels:
      axes.set_xlabel(_label(options.x, options.x_label, first.x))
      axes.tick_params(labelbottom=True)
    else:
      axes.tick_params(bottom=False)
    if place % columns == 0:
      axes.set_ylabel(_label(options.y, options.y_label, first.y))
    else:
      axes.tick_params(left=False)


def _map(grid: Grid, options: HeatMap) -> _Map | None:
  found = grid.stack(options.metric or grid.metric)
  step = options.step
  if not found.steps or (step is not None and step not in found.steps):
    return None
  column = -1 if step is None else found.steps.index(step)
  values, present = found.values[:, :, column], found.present[:, :, column]
  finite = np.isfinite(values)
  count = finite.sum(axis=1)
  total = np.where(finite, values, 0).sum(axis=1)
  mean = np.where(count, total / np.maximum(count, 1), np.nan)
  diverged = np.array([len(runs) for runs in grid.diverged])
  share = diverged / np.maximum(present.sum(axis=1), 1)
  x, y = grid.axis(options.x), grid.axis(options.y)
  shape = len(y), len(x)
  cells, shares = np.full(shape, np.nan), np.zeros(shape)
  number = np.zeros(shape, int)
  columns = [grid.fields.index(field) for field in (options.x, options.y)]
  for place, point in enumerate(grid.points):
    cell = y.index(point[columns[1]]), x.index(point[columns[0]])
    number[cell] += 1
    # The best of what else was varied; a NaN only where nothing is better.
    if np.isnan(cells[cell]) or mean[place] > cells[cell]:
      cells[cell], shares[cell] = mean[place], share[place]
  threshold = grid.threshold if options.threshold is None else options.threshold
  trained = (values >= threshold).sum() / max(present.sum(), 1)
  return _Map(
    x,
    y,
    cells,
    shares,
    float(trained),
    int(present.sum(axis=1).max()),
    int(number.max()),
    found.steps[column],
  )


def _limits(
  metric: str, maps: Sequence[_Map], options: HeatMap
) -> tuple[float, float]:
  low, high = options.low, options.high
  if is_fraction(metric):
    low, high = (0.0 if low is None else low), (1.0 if high is None else high)
  values = np.concatenate([found.mean.ravel() for found in maps])
  values = values[np.isfinite(values)]
  if low is None:
    low = float(values.min()) if values.size else 0.0
  if high is None:
    high = float(values.max()) if values.size else 1.0
  return low, high if high > low else low + 1.0


def _draw(
  axes: Axes, found: _Map, threshold: float, low: float, high: float
) -> Any:
  # Cells of one size: of values in equal ratios, that is a logarithmic axis.
  rows, columns = found.mean.shape
  image = axes.pcolormesh(
    np.arange(columns + 1) - 0.5,
    np.arange(rows + 1) - 0.5,
    np.ma.masked_invalid(found.mean),
    cmap=COLORMAP,
    vmin=low,
    vmax=high,
    edgecolors="face",
    linewidth=0.2,
  )
  axes.set_facecolor(LIGHT)
  axes.set_box_aspect(1)
  axes.grid(False)
  for side in axes.spines.values():
    side.set_visible(False)
  _mark_diverged(axes, found)
  _draw_contour(axes, found, threshold)
  if max(found.mean.shape) <= _WRITTEN:
    _write(axes, found, image)
  _name(axes.xaxis, found.x)
  _name(axes.yaxis, found.y)
  axes.tick_params(length=2, pad=2)
  return image


def _write(axes: Axes, found: _Map, image: Any) -> None:
  """The numbers themselves, where there are few."""
  for (y, x), value in np.ndenumerate(found.mean):
    if not np.isfinite(value):
      continue
    red, green, blue, _ = image.to_rgba(value)
    light = 0.3 * red + 0.59 * green + 0.11 * blue > 0.5
    axes.text(
      x,
      y + (0.2 if found.diverged[y, x] else 0),
      f"{value:.3g}",
      ha="center",
      va="center",
      fontsize=7,
      color="#222222" if light else "white",
    )


def _mark_diverged(axes: Axes, found: _Map) -> None:
  """A cross in each cell with diverged runs, larger the more there are."""
  side = min(_PANEL * 72 / max(found.mean.shape), 20.0)
  for y, x in zip(*np.nonzero(found.diverged), strict=True):
    size = side * (0.16 + 0.2 * found.diverged[y, x])
    axes.plot(
      x,
      y,
      marker="x",
      markersize=size,
      markeredgewidth=max(0.5, size / 9),
      color="white",
      alpha=0.85,
      path_effects=[
        patheffects.withStroke(
          linewidth=max(1.1, size / 4.5), foreground="#00000055"
        )
      ],
    )


def _draw_contour(axes: Axes, found: _Map, threshold: float) -> None:
  """The line between the cells at or above the threshold and the others."""
  trained = found.mean >= threshold  # False where it is NaN.
  rows, columns = trained.shape
  lines = [
    [(x - 0.5, y - 0.5), (x - 0.5, y + 0.5)]
    for y in range(rows)
    for x in range(1, columns)
    if trained[y, x] != trained[y, x - 1]
  ]
  lines += [
    [(x - 0.5, y - 0.5), (x + 0.5, y - 0.5)]
    for y in range(1, rows)
    for x in range(columns)
    if trained[y, x] != trained[y - 1, x]
  ]
  for color, width in (("#222222", 2.8), ("white", 1.3)):
    axes.add_collection(
      LineCollection(
        lines, colors=color, linewidths=width, capstyle="round", zorder=5
      )
    )


def _name(axis: Any, values: Sequence[Any]) -> None:
  """The values as ticks; where they are many, every second or so."""
  every = -(-len(values) // 13)
  axis.set_major_locator(ticker.FixedLocator(range(0, len(values), every)))
  names = [number_text(value, 2) for value in values[::every]]
  axis.set_major_formatter(ticker.FixedFormatter(names))
  if axis.axis_name == "x" and sum(map(len, names)) > 30:
    for label in axis.get_ticklabels():
      label.set(rotation=45, ha="right", rotation_mode="anchor")


def _label(field: str, label: str, values: Sequence[Any]) -> str:
  """The label that is given, or the field and how its values are spaced."""
  if label:
    return label
  text = field.rpartition(".")[2].replace("_", " ")
  return text + (" (logarithmic)" if common_ratio(values) else "")


def _bar_label(metric: str) -> str:
  name = words(metric)
  measure = unit(metric)
  return f"{name} ({measure})" if measure and measure != name else name


def _caption(maps: Sequence[_Map], threshold: float) -> list[str]:
  seeds = max(found.seeds for found in maps)
  step = max(found.step for found in maps)
  best = max(found.best_of for found in maps)
  diverged = any(found.diverged.any() for found in maps)
  blank = any(np.isnan(found.mean).any() for found in maps)
  return [
    f"mean of {plural(seeds, 'seed')} after {step:,} steps",
    f"best of {best} settings in each cell" if best > 1 else "",
    f"white line: {threshold:g}",
    "cross: diverged, the larger the more runs" if diverged else "",
    "grey: no finite value" if blank else "",
  ]
