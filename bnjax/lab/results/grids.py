"""Runs of a grid: every arm at every point of it, for every seed.

From the final value of `grid_metric` (validation accuracy unless the rules say
otherwise) at every point follow, for each seed of an arm:

    trained_fraction     the share of points at which it is at least
                         `grid_threshold` (.9 unless the rules say otherwise); a
                         point that diverged to a NaN is not trained
    best_<metric>        the value of a metric at the point whose `grid_metric`
                         is greatest: of several such, at the first
    <name>@best          anything at the point that is so at the last step
    largest_<field>      the largest value of a field, such as learning_rate,
                         at which any point is trained, whatever the other
                         fields are there

A largest value at the grid's own end is known only to be *at least* that, and
where no point is trained it is *at most* the grid's smallest: see
`Curve.bounds`. A seed that lacks a point has none of these.
"""

import dataclasses
import functools
import math
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from bnjax.lab.results.aggregate import (
  Curve,
  Stack,
  curve_of,
  ranked_names,
  stacked,
)
from bnjax.lab.results.points import (
  Point,
  by_size,
  grid_axes,
  is_number,
  matches,
  short_names,
)
from bnjax.lab.results.rows import Row, Table
from bnjax.lab.results.rules import Rules

PLAIN = Rules()
TRAINED = "trained_fraction"
BEST = "best_"
LARGEST = "largest_"


@dataclasses.dataclass(frozen=True, eq=False)
class Grid:
  """The runs of one arm over a grid.

  Attributes:
    arm: the arm's name.
    fields: the grid's dotted fields.
    points: the values of the fields at each point that has rows.
    frame: the arm's rows, see `Table`.
    places: which of the points each row is at, int [rows].
    missing: how many points of the config's grid have no rows.
    metric: what says whether a point is trained.
    threshold: from which value of it on it is.
  """

  arm: str
  fields: tuple[str, ...]
  points: tuple[tuple[Any, ...], ...]
  frame: pd.DataFrame
  places: np.ndarray
  missing: int
  metric: str
  threshold: float

  @functools.cached_property
  def metrics(self) -> list[str]:
    """The metrics that any point recorded."""
    own = self.frame.dropna(axis="columns", how="all")
    return ranked_names(Table(own).metrics)

  @functools.cached_property
  def seeds(self) -> tuple[int, ...]:
    """Every seed of any point that recorded a metric."""
    some = self.frame[self.metrics].notna().any(axis="columns").to_numpy()
    recorded = np.isin(self.places, self.places[some])
    return tuple(np.unique(self.frame["seed"][recorded]).tolist())

  @functools.cached_property
  def _rows(self) -> Mapping[Any, np.ndarray]:
    """Where the rows of each point are."""
    return self.frame.groupby(self.places).indices

  def curve(self, place: int, metric: str) -> Curve | None:
    """A metric at one of the points; None where it was not recorded."""
    if metric not in self.metrics:
      return None
    own = self.frame.iloc[self._rows[place]]
    seeds, steps, numbers = (
      own[n].to_numpy() for n in ("seed", "step", metric)
    )
    return curve_of(self.arm, metric, seeds, steps, numbers)

  @functools.cached_property
  def diverged(self) -> tuple[dict[int, int], ...]:
    """For each point, seed -> the step at which the run diverged."""
    found: tuple[dict[int, int], ...] = tuple({} for _ in self.points)
    if "diverged_step" in self.frame:
      at = self.frame["diverged_step"].groupby(
        [self.places, self.frame["seed"]]
      )
      for (place, seed), step in at.min().dropna().items():
        found[place][seed] = int(step)
    return found

  def axis(self, field: str) -> tuple[Any, ...]:
    """The values of a field, sorted where they are numbers."""
    place = self.fields.index(field)
    values = list(dict.fromkeys(point[place] for point in self.points))
    return tuple(sorted(values) if all(map(is_number, values)) else values)

  def at(self, wanted: Iterable[tuple[str, Any]], metric: str) -> Curve | None:
    """A metric at the one point that has the wanted values, else None."""
    wanted = list(wanted)
    found = [
      place
      for place, point in enumerate(self.points)
      if matches(tuple(zip(self.fields, point, strict=True)), wanted)
    ]
    return self.curve(found[0], metric) if len(found) == 1 else None

  def stack(self, metric: str) -> Stack:
    """A metric at every point."""
    seeds, frame = np.array(self.seeds), self.frame
    if metric not in self.metrics:
      shape = len(self.points), seeds.size, 0
      return Stack((), np.empty(shape), np.empty(shape, bool))
    # A seed of points without metrics has no place, and no numbers either.
    lines = np.searchsorted(seeds, frame["seed"])
    return stacked(
      frame["step"].to_numpy(),
      frame[metric].to_numpy(),
      (self.places, len(self.points)),
      (lines, seeds.size),
    )

  def derive(self, name: str) -> Curve | None:
    """A metric that follows from all points, see above, over their steps."""
    if name == TRAINED:
      return self._over_points(name, self.metric, self._trained_fraction)
    if name.startswith(BEST):
      if self.metric not in self.metrics:
        return None
      return self._over_points(name, name.removeprefix(BEST), self._best)
    shorts = short_names(self.fields)
    fields = {LARGEST + short: field for field, short in shorts.items()}
    if name not in fields:
      return None
    place = self.fields.index(fields[name])
    found = [point[place] for point in self.points]
    if not all(map(is_number, found)):
      return None
    axis = np.array(found)
    return self._over_points(
      name, self.metric, lambda values, at: self._largest(axis, values)
    )

  def best_places(self) -> dict[int, int]:
    """Seed -> the point whose `grid_metric` is greatest at the last step.

    None of a seed that lacks a point, or is finite at no point.
    """
    steps, values, present = self.stack(self.metric)
    if self.missing or not steps:
      return {}
    last = np.where(np.isfinite(values[:, :, -1]), values[:, :, -1], -np.inf)
    usable = present[:, :, -1].all(0) & (last.max(0) > -np.inf)
    places = last.argmax(0).tolist()
    return {
      seed: place
      for seed, place, some in zip(self.seeds, places, usable, strict=True)
      if some
    }

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
    at = np.asarray(steps)[kept]
    reduced, bounds = reduce(values[:, :, kept], at)
    return Curve(
      self.arm,
      name,
      self.seeds,
      tuple(at.tolist()),
      np.where(whole[:, kept], reduced, np.nan),
      whole[:, kept],
      bounds,
    )

  def _trained_fraction(
    self, values: np.ndarray, at: np.ndarray
  ) -> tuple[np.ndarray, None]:
    del at
    return (values >= self.threshold).mean(axis=0), None

  def _best(
    self, values: np.ndarray, at: np.ndarray
  ) -> tuple[np.ndarray, None]:
    steps, judged, _ = self.stack(self.metric)
    missing = np.full((*judged.shape[:2], 1), np.nan)
    places = [steps.index(s) if s in steps else -1 for s in at.tolist()]
    judged = np.append(judged, missing, axis=2)[:, :, places]
    judged = np.where(np.isfinite(judged), judged, -np.inf)
    found = judged.argmax(axis=0)[None]
    some = np.isfinite(np.take_along_axis(judged, found, axis=0)[0])
    taken = np.take_along_axis(values, found, axis=0)[0]
    return np.where(some, taken, np.nan), None

  def _largest(
    self, axis: np.ndarray, values: np.ndarray
  ) -> tuple[np.ndarray, np.ndarray]:
    trained = values >= self.threshold
    field = axis.astype(np.float64)[:, None, None]
    largest = np.where(trained, field, -np.inf).max(axis=0)
    none = np.isneginf(largest)
    bounds = np.where(none, -1, np.where(largest == field.max(), 1, 0))
    return np.where(none, field.min(), largest), bounds.astype(np.int8)


def grids(
  config: Mapping[str, Any], rows: Iterable[Row], rules: Rules = PLAIN
) -> dict[str, Grid]:
  """The grid of every arm whose rows have points, in the order of values.

  The config's `grid` says which points there should be, and the rules which of
  them count as trained. Rows without a point are passed over.

  Raises:
    ValueError: a row is not as it should be, see `Table`.
  """
  axes = grid_axes(config)
  wanted = math.prod(map(len, axes.values())) if axes else 0
  frame = Table.of_metrics(rows).frame.dropna(subset="point")
  found = {}
  for arm, own in frame.groupby("arm", sort=False, observed=True):
    column = own["point"].cat.remove_unused_categories().cat
    own_points: list[Point] = list(column.categories)
    known = {field for point in own_points for field, _ in point}
    fields = [field for field in axes if field in known]
    fields += sorted(known - set(fields))
    values = [tuple(dict(p).get(field) for field in fields) for p in own_points]
    order = sorted(
      range(len(values)), key=lambda place: [*map(by_size, values[place])]
    )
    found[arm] = Grid(
      arm=arm,
      fields=tuple(fields),
      points=tuple(values[place] for place in order),
      frame=own,
      places=np.argsort(order)[column.codes.to_numpy()],
      missing=max(0, wanted - len(order)),
      metric=rules.grid_metric,
      threshold=rules.grid_threshold,
    )
  return found
