"""The cells of a metric over two fields: the best of whatever else varied."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from bnjax.lab.report.run import Run
from bnjax.lab.results import figure_kinds
from bnjax.lab.results.points import is_number
from bnjax.lab.results.settings import setting


class Point(NamedTuple):
  """What an arm has at a point, or without a grid."""

  x: Any
  y: Any
  values: np.ndarray  # [seeds]; NaN where not finite or not recorded
  recorded: int  # how many seeds have a value, finite or not
  lost: int  # how many diverged
  step: int


class Map(NamedTuple):
  """One panel's cells [y, x], each the best of whatever else was varied.

  Attributes:
    name: of the arm, or of all of them together.
    mean: over finite seeds; NaN without any.
    std: likewise, divided by n.
    diverged: share of the runs that diverged.
    trained: share of all runs that reach the threshold.
    seeds: how many each cell has.
    best_of: how many settings of other fields each cell is the best of.
    step: the training step.
  """

  name: str
  mean: np.ndarray
  std: np.ndarray
  diverged: np.ndarray
  trained: float
  seeds: int
  best_of: int
  step: int


def points_of(
  run: Run, arm: str, metric: str, options: figure_kinds.HeatMap
) -> list[Point]:
  """An arm at every point of the grid; fields that this lacks are its own."""
  config, step = run.measured.config, options.step
  x, y = (
    setting(config, arm, *field.split(".")) for field in (options.x, options.y)
  )
  grid = run.measured.grids.get(arm)
  if grid is None:
    curve = run.measured.plain.get((arm, metric))
    if curve is None or x is None or y is None:
      return []
    at = curve.last_step if step is None else step
    if at not in curve.steps:
      return []
    column = curve.steps.index(at)
    values, there = curve.values[:, column], curve.present[:, column]
    lost = len(run.measured.diverged.get(arm, {}))
    return [Point(x, y, values, int(there.sum()), lost, at)]
  whole = grid.stack(metric)
  if not whole.steps or (step is not None and step not in whole.steps):
    return []
  column = -1 if step is None else whole.steps.index(step)
  found = []
  for place, point in enumerate(grid.points):
    own = dict(zip(grid.fields, point, strict=True))
    across, down = own.get(options.x, x), own.get(options.y, y)
    if across is None or down is None:
      return []
    found.append(
      Point(
        across,
        down,
        whole.values[place, :, column],
        int(whole.present[place, :, column].sum()),
        len(grid.diverged[place]),
        whole.steps[column],
      )
    )
  return found


def values_of(found: Sequence[Any]) -> list[Any]:
  """The values of a field, sorted where they are numbers."""
  values = list(dict.fromkeys(found))
  return sorted(values) if all(map(is_number, values)) else values


def map_of(
  name: str,
  points: Sequence[Point],
  xs: Sequence[Any],
  ys: Sequence[Any],
  metric: str,
  threshold: float | None,
) -> Map:
  """The cells of one panel, `xs` across and `ys` down."""
  cells = np.full((3, len(ys), len(xs)), np.nan)
  cells[2] = 0
  number = np.zeros((len(ys), len(xs)), int)
  sign = -1 if metric.endswith("loss") else 1
  for point in points:
    cell = ys.index(point.y), xs.index(point.x)
    number[cell] += 1
    finite = point.values[np.isfinite(point.values)]
    mean = finite.mean() if finite.size else np.nan
    std = finite.std() if finite.size else np.nan
    # The best of what else was varied; a NaN only where nothing is better.
    old = cells[(0, *cell)]
    if np.isnan(old) or sign * mean > sign * old:
      share = point.lost / max(point.recorded, 1)
      cells[(slice(None), *cell)] = mean, std, share
  level = np.inf if threshold is None else threshold
  reached = sum((point.values >= level).sum() for point in points)
  return Map(
    name,
    cells[0],
    cells[1],
    cells[2],
    float(reached / max(sum(point.recorded for point in points), 1)),
    max(point.recorded for point in points),
    int(number.max()),
    max(point.step for point in points),
  )
