"""Metrics over seeds and steps, taken from a frame of rows."""

import dataclasses
import itertools
from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np

from bnjax.lab.results.rows import Row, Table

# The times that add up to what a run took.
_SPENT = ("compile_seconds", "train_seconds", "evaluate_seconds")

# Metrics are listed in this order, any others after them by name.
_ORDER = (
  "test_accuracy",
  "population_test_accuracy",
  "validation_accuracy",
  "population_validation_accuracy",
  "loss",
  "data_loss",
  "l2_loss",
  "test_loss",
  "validation_loss",
  "grad_norm",
  "param_norm",
)


@dataclasses.dataclass(frozen=True)
class Curve:
  """One metric of one arm over steps, for each seed.

  Attributes:
    arm: the arm's name.
    metric: the metric's name.
    seeds: every seed of the arm, in order.
    steps: the steps at which any seed recorded this metric, in order.
    values: float64 [seeds, steps]; NaN where not finite or not recorded.
    present: bool [seeds, steps]; whether the seed recorded it at this step.
    bounds: int8 [seeds, steps]; 1 where the true value is known only to be at
      least the one in `values`, -1 where at most, else 0. None means all 0.
  """

  arm: str
  metric: str
  seeds: tuple[int, ...]
  steps: tuple[int, ...]
  values: np.ndarray
  present: np.ndarray
  bounds: np.ndarray | None = None

  @property
  def last_step(self) -> int:
    """The last step at which any seed recorded the metric."""
    return self.steps[-1]

  def at(self, step: int) -> dict[int, float]:
    """The value of each seed that recorded this step; NaN if not finite."""
    return self._column(self.values, step)

  def bounds_at(self, step: int) -> dict[int, int]:
    """The bound of each seed that recorded this step, see `bounds`."""
    none = np.zeros(self.values.shape, np.int8)
    return self._column(none if self.bounds is None else self.bounds, step)

  def _column(self, values: np.ndarray, step: int) -> dict[int, Any]:
    if step not in self.steps:
      return {}
    place = self.steps.index(step)
    own = zip(self.seeds, values[:, place].tolist(), strict=True)
    there = self.present[:, place].tolist()
    return dict(itertools.compress(own, there))


def over_seeds(values: Any) -> tuple[np.ndarray, ...]:
  """Mean, least and greatest finite value of [seeds, n]; NaN without any."""
  over = np.ma.masked_invalid(values)  # a growth may have overflowed
  return tuple(
    own.filled(np.nan) for own in (over.mean(0), over.min(0), over.max(0))
  )


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


def stacked(
  steps: np.ndarray, numbers: np.ndarray, *lines: tuple[np.ndarray, int]
) -> Stack:
  """Numbers of rows by the lines that they belong to, and by steps.

  Args:
    steps: int64 [rows].
    numbers: float64 [rows]; NaN where none was recorded, inf where it was not
      finite. Of several in one place the last one counts.
    *lines: for each axis but the last one, the place of every row on it, int
      [rows], and how many places there are.
  """
  there = ~np.isnan(numbers)
  found, columns = np.unique(steps[there], return_inverse=True)
  values = np.full((*(size for _, size in lines), found.size), np.nan)
  values[*(places[there] for places, _ in lines), columns] = numbers[there]
  present = ~np.isnan(values)
  values[np.isinf(values)] = np.nan
  return Stack(tuple(found.tolist()), values, present)


def curve_of(
  arm: str, metric: str, seeds: np.ndarray, steps: np.ndarray, numbers: Any
) -> Curve | None:
  """The curve of one metric of one arm's rows, see `stacked`; None if empty."""
  every, lines = np.unique(seeds, return_inverse=True)
  found = stacked(steps, numbers, (lines, every.size))
  return (
    Curve(arm, metric, tuple(every.tolist()), *found) if found.steps else (None)
  )


def spaced(count: int, most: int) -> list[int]:
  """Evenly spaced places, the first and the last among them.

  >>> spaced(3, 5), spaced(100, 4)
  ([0, 1, 2], [0, 33, 66, 99])
  """
  if count <= most:
    return list(range(count))
  found = np.linspace(0, count - 1, max(2, most)).round().astype(int)
  return [int(place) for place in np.unique(found)]


def is_time(name: str) -> bool:
  """Whether a field of a row is a time: seconds, and no metric of a network."""
  return name.endswith("_seconds")


def curves(
  rows: Iterable[Row], *, times: bool = False
) -> dict[tuple[str, str], Curve]:
  """Groups rows into one curve per (arm, metric).

  Arms are in the order they first appear, metrics in that of `_ORDER`; fields
  that end in `_seconds` are among them if `times`.

  Raises:
    ValueError: a row is not as it should be, see `Table`; or an arm has rows of
      several points of a grid, see `grids`.
  """
  table = Table.of_metrics(rows)
  names = [m for m in ranked_names(table.metrics) if times or not is_time(m)]
  found = {}
  for arm, own in table.frame.groupby("arm", sort=False, observed=True):
    points = own["point"].nunique(dropna=False)
    if points > 1:
      raise ValueError(
        f"the rows of arm {arm!r} are of {points} points of a grid: take the "
        "curves of one of them, or grids(config, rows)"
      )
    seeds, steps = own["seed"].to_numpy(), own["step"].to_numpy()
    for name in names:
      curve = curve_of(arm, name, seeds, steps, own[name].to_numpy())
      if curve:
        found[arm, name] = curve
  return found


def ranked_names(names: Iterable[str]) -> list[str]:
  """Metrics in the order they are listed in."""
  rank = {name: index for index, name in enumerate(_ORDER)}
  return sorted(set(names), key=lambda name: (rank.get(name, len(rank)), name))


def diverged_steps(rows: Iterable[Row]) -> dict[str, dict[int, int]]:
  """The step at which each diverged run did so: arm -> seed -> step."""
  frame = Table.of_metrics(rows).frame
  if "diverged_step" not in frame:
    return {}
  own = frame.dropna(subset="diverged_step")
  first = own.groupby(["arm", "seed"], observed=True)["diverged_step"].min()
  found: dict[str, dict[int, int]] = {arm: {} for arm in own["arm"].unique()}
  for (arm, seed), step in first.items():
    found[arm][seed] = int(step)
  return found


def total_seconds(rows: Iterable[Row]) -> float | None:
  """What all runs took together; None without any times.

  `_SPENT` are running totals of a run, its share of what was spent on several
  at once. Any other time, such as that of a step, is no part of the whole.
  """
  frame = Table.of_metrics(rows).frame
  names = [name for name in _SPENT if name in frame]
  runs = frame[names].replace(np.inf, np.nan).groupby(
    [frame["arm"], frame["seed"], frame["point"]], observed=True, dropna=False
  )  # fmt: skip
  spent = runs.max()
  return float(spent.sum().sum()) if spent.notna().any(axis=None) else None
