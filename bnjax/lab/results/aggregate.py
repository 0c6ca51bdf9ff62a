"""Rows of `metrics.jsonl` grouped into curves: seeds x steps, per arm.

A resumed run may write a row again: of the rows with one arm, seed and step,
the last one counts.
"""

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

# What a row holds beside metrics; times end in `_seconds` and are listed with
# metrics only where a rule names them.
KEYS = ("arm", "seed", "step", "point", "diverged_step")

# The times that add up to what a run took.
SPENT = ("compile_seconds", "train_seconds", "evaluate_seconds")

# Metrics are listed in this order, any others after them by name.
ORDER = (
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

Row = Mapping[str, Any]


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

  @property
  def reached(self) -> tuple[int, ...]:
    """The last step that each seed recorded; 0 for none."""
    last = np.where(self.present, self.steps, 0).max(axis=1)
    return tuple(int(step) for step in last)

  def at(self, step: int) -> dict[int, float]:
    """The value of each seed that recorded this step; NaN if not finite."""
    if step not in self.steps:
      return {}
    column = self.steps.index(step)
    return {
      seed: float(self.values[row, column])
      for row, seed in enumerate(self.seeds)
      if self.present[row, column]
    }

  def bounds_at(self, step: int) -> dict[int, int]:
    """The bound of each seed that recorded this step, see `bounds`."""
    if self.bounds is None or step not in self.steps:
      return dict.fromkeys(self.at(step), 0)
    column = self.steps.index(step)
    return {
      seed: int(self.bounds[row, column])
      for row, seed in enumerate(self.seeds)
      if self.present[row, column]
    }

  def over_seeds(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean, least and greatest finite value per step; NaN without any."""
    finite = np.isfinite(self.values)
    count = finite.sum(axis=0)
    total = np.where(finite, self.values, 0.0).sum(axis=0)
    none = count == 0
    mean = np.where(none, np.nan, total / np.maximum(count, 1))
    least = np.where(finite, self.values, np.inf).min(axis=0)
    greatest = np.where(finite, self.values, -np.inf).max(axis=0)
    return (
      mean,
      np.where(none, np.nan, least),
      np.where(none, np.nan, greatest),
    )


def is_time(name: str) -> bool:
  """Whether a field of a row is a time: seconds, and no metric of a network."""
  return name.endswith("_seconds")


def _is_metric(name: str, value: Any, times: bool) -> bool:
  if name in KEYS or isinstance(value, bool) or is_time(name) > times:
    return False
  return value is None or isinstance(value, int | float)


def curves(
  rows: Iterable[Row], *, times: bool = False
) -> dict[tuple[str, str], Curve]:
  """Groups rows into one curve per arm and metric.

  Args:
    rows: as `read_rows` gives them: `arm`, `seed`, `step` and numbers, where
      None stands for a number that was not finite. The point of a grid that
      they may have is not looked at: see `grids`.
    times: whether fields ending in `_seconds` are among the metrics.

  Returns:
    Curves by (arm, metric): arms in the order they first appear, metrics in
    the order of `ORDER`.

  Raises:
    ValueError: a row lacks `arm`, `seed` or `step`.
  """
  seeds: dict[str, set[int]] = {}
  cells: dict[tuple[str, str], dict[tuple[int, int], float]] = {}
  for row in rows:
    try:
      arm, seed, step = row["arm"], row["seed"], row["step"]
    except KeyError as error:
      raise ValueError(f"a row of metrics has no {error}: {row}") from None
    seeds.setdefault(arm, set()).add(seed)
    for name, value in row.items():
      if _is_metric(name, value, times):
        number = np.nan if value is None else float(value)
        cells.setdefault((arm, name), {})[seed, step] = number
  arms = list(seeds)
  order = {name: index for index, name in enumerate(ranked(cells))}
  keys = sorted(cells, key=lambda k: (arms.index(k[0]), order[k[1]]))
  return {key: _curve(*key, sorted(seeds[key[0]]), cells[key]) for key in keys}


def ranked(cells: Iterable[tuple[str, str]]) -> list[str]:
  """The metrics of (arm, metric) pairs, in the order they are listed in."""
  names = {metric for _, metric in cells}
  rank = {name: index for index, name in enumerate(ORDER)}
  return sorted(names, key=lambda name: (rank.get(name, len(rank)), name))


def _curve(
  arm: str,
  metric: str,
  seeds: list[int],
  cells: Mapping[tuple[int, int], float],
) -> Curve:
  steps = sorted({step for _, step in cells})
  column = {step: index for index, step in enumerate(steps)}
  line = {seed: index for index, seed in enumerate(seeds)}
  values = np.full((len(seeds), len(steps)), np.nan)
  present = np.zeros(values.shape, bool)
  for (seed, step), value in cells.items():
    place = line[seed], column[step]
    values[place] = value if np.isfinite(value) else np.nan
    present[place] = True
  return Curve(arm, metric, tuple(seeds), tuple(steps), values, present)


def diverged_steps(rows: Iterable[Row]) -> dict[str, dict[int, int]]:
  """The step at which each diverged run did so: arm -> seed -> step."""
  found: dict[str, dict[int, int]] = {}
  for row in rows:
    step = row.get("diverged_step")
    if step is not None:
      runs = found.setdefault(row["arm"], {})
      runs[row["seed"]] = min(step, runs.get(row["seed"], step))
  return {arm: dict(sorted(runs.items())) for arm, runs in found.items()}


def total_seconds(rows: Iterable[Row]) -> float | None:
  """What all runs took together; None without any times.

  `SPENT` are running totals of a run, its share of what was spent on several
  at once. Any other time, such as that of a step, is no part of the whole.
  """
  spent: dict[tuple[str, int, str, str], float] = {}
  for row in rows:
    for name in SPENT:
      value = row.get(name)
      if value is not None:
        key = row["arm"], row["seed"], str(row.get("point")), name
        spent[key] = max(value, spent.get(key, 0.0))
  return sum(spent.values()) if spent else None
