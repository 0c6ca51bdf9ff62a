"""A metric over two fields of the grid: where an arm trains and where not."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from bnjax.lab.report.marks import Axis, Cells, Figure, Panel
from bnjax.lab.report.run import Run
from bnjax.lab.report.wording import field_name, number_text, plural, unit
from bnjax.lab.results import figure_kinds
from bnjax.lab.results.grids import Grid
from bnjax.lab.results.names import is_fraction, words
from bnjax.lab.results.points import common_ratio

_WIDE = 1000.0  # values that are further apart are shown by their logarithms


class _Map(NamedTuple):
  """One arm's cells [y, x], each the best of the grid's other fields.

  Attributes:
    mean: over finite seeds; NaN without any.
    std: likewise, divided by n.
    diverged: share of the runs that diverged.
    trained: share of all runs that reach the threshold.
    seeds: how many each cell has.
    best_of: how many points of further fields each cell is the best of.
    step: the training step.
  """

  mean: np.ndarray
  std: np.ndarray
  diverged: np.ndarray
  trained: float
  seeds: int
  best_of: int
  step: int


def heat_map(run: Run, options: figure_kinds.HeatMap) -> Figure | None:
  """Shows a panel an arm; None if none of them has a grid of these fields."""
  grids = [run.measured.grids.get(arm) for arm in run.arms(options.arms)]
  found = [
    (grid, own)
    for grid in grids
    if grid and {options.x, options.y} <= {*grid.fields}
    if (own := _map(grid, options)) is not None
  ]
  if not found:
    return None
  first = found[0][0]
  metric = options.metric or first.metric
  threshold = _threshold(first, options)
  values = np.concatenate([own.mean.ravel() for _, own in found])
  values = values[np.isfinite(values)]
  log = bool(
    not is_fraction(metric)
    and values.size
    and values.max() > _WIDE * values.min() > 0
  )
  if log:
    values = np.log10(values)
  low, high = _limits(metric, values, options)
  x = _axis(options.x_label, options.x, first.axis(options.x))
  y = _axis(options.y_label, options.y, first.axis(options.y))
  measure = unit(metric)
  name = words(metric)
  label = f"{name} ({measure})" if measure not in ("", name) else name
  fenced = metric == first.metric or options.threshold is not None
  panels = [
    Panel(
      [
        Cells(
          grid.arm,
          np.log10(own.mean) if log else own.mean,
          low=low,
          high=high,
          threshold=threshold if fenced else None,
          crosses=own.diverged,
          says=_says(grid, own, options, name),
          label="logarithm (base 10) of " * log + label,
        )
      ],
      x,
      y,
      title=grid.arm,
      note=f"{own.trained:.0%} train" if fenced else "",
    )
    for grid, own in found
  ]
  maps = [own for _, own in found]
  best = max(own.best_of for own in maps)
  caption = [
    f"mean of {plural(max(own.seeds for own in maps), 'seed')} after "
    f"{plural(max(own.step for own in maps), 'step')}",
    f"best of {best} settings in each cell" if best > 1 else "",
    f"white line: {threshold:g}" if fenced else "",
    "cross: diverged, the larger the more runs"
    if any(own.diverged.any() for own in maps)
    else "",
    "grey: no finite value"
    if any(np.isnan(own.mean).any() for own in maps)
    else "",
  ]
  count = len(panels)
  return Figure(
    panels,
    title=options.title,
    caption=caption,
    columns=min(count if count <= 3 else -(-count // 2), 4),
    height=0.0,
    share="xy",
  )


def _threshold(grid: Grid, options: figure_kinds.HeatMap) -> float:
  return grid.threshold if options.threshold is None else options.threshold


def _map(grid: Grid, options: figure_kinds.HeatMap) -> _Map | None:
  metric = options.metric or grid.metric
  found = grid.stack(metric)
  step = options.step
  if not found.steps or (step is not None and step not in found.steps):
    return None
  column = -1 if step is None else found.steps.index(step)
  values, present = found.values[:, :, column], found.present[:, :, column]
  over = np.ma.masked_invalid(values)
  mean, std = (own.filled(np.nan) for own in (over.mean(1), over.std(1)))
  lost = np.array([len(runs) for runs in grid.diverged])
  share = lost / np.maximum(present.sum(axis=1), 1)
  x, y = grid.axis(options.x), grid.axis(options.y)
  cells = np.full((3, len(y), len(x)), np.nan)
  cells[2] = 0
  number = np.zeros((len(y), len(x)), int)
  across, down = (grid.fields.index(f) for f in (options.x, options.y))
  sign = -1 if metric.endswith("loss") else 1
  for place, point in enumerate(grid.points):
    cell = y.index(point[down]), x.index(point[across])
    number[cell] += 1
    # The best of what else was varied; a NaN only where nothing is better.
    old = cells[(0, *cell)]
    if np.isnan(old) or sign * mean[place] > sign * old:
      cells[(slice(None), *cell)] = mean[place], std[place], share[place]
  reached = (values >= _threshold(grid, options)).sum()
  return _Map(
    cells[0],
    cells[1],
    cells[2],
    float(reached / max(present.sum(), 1)),
    int(present.sum(axis=1).max()),
    int(number.max()),
    found.steps[column],
  )


def _limits(
  metric: str, values: np.ndarray, options: figure_kinds.HeatMap
) -> tuple[float, float]:
  least, most = (0.0, 1.0) if not values.size else (values.min(), values.max())
  if is_fraction(metric):
    least, most = 0.0, 1.0
  low = float(least if options.low is None else options.low)
  high = float(most if options.high is None else options.high)
  return low, high if high > low else low + 1.0


def _axis(label: str, field: str, values: Sequence[Any]) -> Axis:
  """Cells of one size: of values in equal ratios that is logarithmic."""
  even = " (logarithmic)" if common_ratio(values) else ""
  return Axis(
    label=label or field_name(field) + even,
    names=[number_text(value, 2) for value in values],
    low=-0.5,
    high=len(values) - 0.5,
  )


def _says(
  grid: Grid, own: _Map, options: figure_kinds.HeatMap, name: str
) -> list[list[str]]:
  def text(y: int, x: int) -> str:
    mean, lost = own.mean[y, x], own.diverged[y, x]
    value = f"{mean:.4g}" if np.isfinite(mean) else "no finite value"
    spread = f" ± {own.std[y, x]:.2g}" if own.seeds > 1 and mean == mean else ""
    lines = [
      f"{field_name(options.x)}: {number_text(xs[x])}",
      f"{field_name(options.y)}: {number_text(ys[y])}",
      f"{name}: {value}{spread}",
    ]
    return "\n".join([*lines, *([f"diverged: {lost:.0%}"] if lost else [])])

  xs, ys = grid.axis(options.x), grid.axis(options.y)
  return [[text(y, x) for x in range(len(xs))] for y in range(len(ys))]
