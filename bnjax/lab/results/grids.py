"""Runs of a grid: every arm at every point of it, for every seed.

From the final value of `grid_metric` (validation accuracy unless the rules say
otherwise) at every point follow, for each seed of an arm:

    trained_fraction     the share of points at which it is at least
                         `grid_threshold` (.9 unless the rules say otherwise); a
                         point that diverged to a NaN is not trained
    best_<metric>        the greatest value of a metric over all points
    largest_<field>      the largest value of a field, such as learning_rate,
                         at which any point is trained, whatever the other
                         fields are there

A largest value at the grid's own end is known only to be *at least* that, and
where no point is trained it is *at most* the grid's smallest: see
`Curve.bounds`. A seed that lacks a point has none of these.
"""

import dataclasses
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from bnjax.lab.results.aggregate import (
  Curve,
  Row,
  curves,
  diverged_steps,
  ranked,
)
from bnjax.lab.results.points import (
  Point,
  grid_axes,
  is_number,
  matches,
  point_of,
  short_names,
)
from bnjax.lab.results.rules import Rules

PLAIN = Rules()
TRAINED = "trained_fraction"
BEST = "best_"
LARGEST = "largest_"


class Stack(NamedTuple):
  """A metric at every point.

  Attributes:
    steps: those at which any run recorded it.
    values: float64 [points, seeds, steps]; NaN where not finite or not
      recorded.
    present: bool of that shape; whether it was recorded.
  """

  steps: tuple[int, ...]
  values: np.ndarray
  present: np.ndarray


@dataclasses.dataclass(frozen=True)
class Grid:
  """The runs of one arm over a grid.

  Attributes:
    arm: the arm's name.
    fields: the grid's dotted fields.
    points: the values of the fields at each point that has rows.
    curves: for each point, its curves by metric.
    diverged: for each point, seed -> the step at which the run diverged.
    missing: how many points of the config's grid have no rows.
    metric: what says whether a point is trained.
    threshold: from which value of it on it is.
  """

  arm: str
  fields: tuple[str, ...]
  points: tuple[tuple[Any, ...], ...]
  curves: tuple[dict[str, Curve], ...]
  diverged: tuple[dict[int, int], ...]
  missing: int
  metric: str
  threshold: float

  @property
  def metrics(self) -> list[str]:
    """The metrics that any point recorded."""
    return ranked({(self.arm, name) for point in self.curves for name in point})

  @property
  def seeds(self) -> tuple[int, ...]:
    """Every seed of any point."""
    found = (curve.seeds for point in self.curves for curve in point.values())
    return tuple(sorted({seed for seeds in found for seed in seeds}))

  def axis(self, field: str) -> tuple[Any, ...]:
    """The values of a field, sorted where they are numbers."""
    place = self.fields.index(field)
    values = list(dict.fromkeys(point[place] for point in self.points))
    return tuple(sorted(values) if all(map(is_number, values)) else values)

  def at(self, wanted: Iterable[tuple[str, Any]], metric: str) -> Curve | None:
    """A metric at the one point that has the wanted values, else None."""
    wanted = list(wanted)
    found = [
      own
      for point, own in zip(self.points, self.curves, strict=True)
      if matches(tuple(zip(self.fields, point, strict=True)), wanted)
    ]
    return found[0].get(metric) if len(found) == 1 else None

  def stack(self, metric: str) -> Stack:
    """A metric at every point."""
    own = [point.get(metric) for point in self.curves]
    steps = tuple(sorted({s for curve in own if curve for s in curve.steps}))
    seeds = self.seeds
    values = np.full((len(own), len(seeds), len(steps)), np.nan)
    present = np.zeros(values.shape, bool)
    for place, curve in enumerate(own):
      if curve is None:
        continue
      cells = np.ix_(
        [place],
        [seeds.index(seed) for seed in curve.seeds],
        [steps.index(step) for step in curve.steps],
      )
      values[cells], present[cells] = curve.values, curve.present
    return Stack(steps, values, present)

  def derive(self, name: str) -> Curve | None:
    """A metric that follows from all points, see above; None if `name` is not.

    Returns:
      A curve over the steps that every point of a seed has.
    """
    if name == TRAINED:
      return self._over_points(name, self.metric, self._trained_fraction)
    if name.startswith(BEST):
      return self._over_points(name, name.removeprefix(BEST), _best)
    shorts = short_names(self.fields)
    fields = {LARGEST + short: field for field, short in shorts.items()}
    if name not in fields:
      return None
    place = self.fields.index(fields[name])
    axis = np.array([point[place] for point in self.points])
    if not all(is_number(value) for value in axis.tolist()):
      return None
    return self._over_points(
      name, self.metric, lambda values: self._largest(axis, values)
    )

  def derived(self) -> list[str]:
    """The names that tables list: one for each of the three kinds at least."""
    best = [m for m in ("test_accuracy", self.metric) if m in self.metrics]
    names = [TRAINED, *(BEST + metric for metric in dict.fromkeys(best))]
    names += [LARGEST + short for short in short_names(self.fields).values()]
    return [name for name in names if self.derive(name) is not None]

  def _over_points(self, name: str, metric: str, reduce: Any) -> Curve | None:
    steps, values, present = self.stack(metric)
    whole: np.ndarray = np.all(present, axis=0)
    if self.missing or not whole.any():
      return None
    kept = whole.any(axis=0)
    reduced, bounds = reduce(values[:, :, kept])
    return Curve(
      self.arm,
      name,
      self.seeds,
      tuple(int(step) for step in np.asarray(steps)[kept]),
      np.where(whole[:, kept], reduced, np.nan),
      whole[:, kept],
      bounds,
    )

  def _trained_fraction(self, values: np.ndarray) -> tuple[np.ndarray, None]:
    return (values >= self.threshold).mean(axis=0), None

  def _largest(
    self, axis: np.ndarray, values: np.ndarray
  ) -> tuple[np.ndarray, np.ndarray]:
    trained = values >= self.threshold
    field = axis.astype(np.float64)[:, None, None]
    largest = np.where(trained, field, -np.inf).max(axis=0)
    none = np.isneginf(largest)
    bounds = np.where(none, -1, np.where(largest == field.max(), 1, 0))
    return np.where(none, field.min(), largest), bounds.astype(np.int8)


def _best(values: np.ndarray) -> tuple[np.ndarray, None]:
  greatest = np.where(np.isfinite(values), values, -np.inf).max(axis=0)
  return np.where(np.isneginf(greatest), np.nan, greatest), None


def grids(
  config: Mapping[str, Any], rows: Sequence[Row], rules: Rules = PLAIN
) -> dict[str, Grid]:
  """The grid of every arm whose rows have points.

  Args:
    config: its `grid` says which points there should be.
    rules: they say which points count as trained.
    rows: the rows of `metrics.jsonl`; those without a point are passed over.

  Returns:
    Arm -> grid, its points in the order of their values.

  Raises:
    ValueError: a row lacks `arm`, `seed` or `step`.
  """
  axes = grid_axes(config)
  wanted = math.prod(map(len, axes.values())) if axes else 0
  runs: dict[str, dict[Point, list[Row]]] = {}
  for row in rows:
    if point := point_of(row):
      runs.setdefault(row["arm"], {}).setdefault(point, []).append(row)
  found = {}
  for arm, own in runs.items():
    known = {field for point in own for field, _ in point}
    fields = [field for field in axes if field in known]
    fields += sorted(known - set(fields))
    coordinates = {
      point: tuple(dict(point).get(field) for field in fields) for point in own
    }
    points = sorted(own, key=lambda point: _order(coordinates[point]))
    found[arm] = Grid(
      arm=arm,
      fields=tuple(fields),
      points=tuple(coordinates[point] for point in points),
      curves=tuple(
        {name: c for (_, name), c in curves(own[point], times=True).items()}
        for point in points
      ),
      diverged=tuple(
        diverged_steps(own[point]).get(arm, {}) for point in points
      ),
      missing=max(0, wanted - len(points)),
      metric=rules.grid_metric,
      threshold=rules.grid_threshold,
    )
  return found


def _order(values: Iterable[Any]) -> list[tuple[bool, float, str]]:
  """Numbers by size, before names by their letters."""
  return [
    (False, float(v), "") if is_number(v) else (True, 0.0, str(v))
    for v in values
  ]
