"""Published numbers and curves, as rules compare them with what is measured.

>>> PublishedNumber.of_range(
...   0.956, 0.976, arm="a", metric="test_accuracy", dataset="mnist", step=10,
...   source="a post",
... ).mean
0.966
"""

import dataclasses
import math
import statistics
from collections.abc import Sequence
from typing import Any, ClassVar

from bnjax.lab.results.checked import Checked
from bnjax.lab.results.names import parse_name


@dataclasses.dataclass(frozen=True, kw_only=True)
class PublishedNumber(Checked):
  """A published mean over seeds of one metric at one step.

  `of_runs` makes it of independent runs and `of_range` of a range.

  Attributes:
    arm: the arm that has its settings.
    metric: the metric's name, see `names`.
    mean: the published mean; of `values` (their geometric mean, if it is a
      ratio) or the middle of a range where those are given.
    dataset: the name of the data set it was measured on.
    step: the number of training steps it was measured after.
    source: where it was published.
    std: standard deviation over seeds, divided by n as `np.std` does.
    seeds: how many runs it is of.
    tolerance: added to both sides of the interval of the difference; half of a
      range's width is part of it.
    values: of independent runs, where they are known one by one.
    low: the least number of a range.
    high: its greatest.
    relative_to: an arm: the number is the ratio of this arm's metric to that
      one's.
  """

  kind: ClassVar[str] = "number"

  arm: str
  metric: str
  mean: float
  dataset: str
  step: int
  source: str
  std: float | None = None
  seeds: int | None = None
  tolerance: float | None = None
  values: tuple[float, ...] = ()
  low: float | None = None
  high: float | None = None
  relative_to: str | None = None

  @classmethod
  def of_runs(
    cls, values: Sequence[float], *, relative_to: str | None = None, **rule: Any
  ) -> "PublishedNumber":
    """The mean, standard deviation and count of independent runs.

    Args:
      values: one a run.
      relative_to: as the field; the mean of ratios is geometric.
      **rule: the other fields.
    """
    if not values:
      raise ValueError(f"{cls.__name__}.values should be of one run or more")
    return cls(
      values=tuple(values),
      mean=_mean(values, relative_to),
      std=statistics.pstdev(values),
      seeds=len(values),
      relative_to=relative_to,
      **rule,
    )

  @classmethod
  def of_range(
    cls, low: float, high: float, *, tolerance: float = 0.0, **rule: Any
  ) -> "PublishedNumber":
    """Any number between two will do: their middle, and a tolerance.

    Args:
      low: the least.
      high: the greatest.
      tolerance: on top of half of the range's width.
      **rule: the other fields.
    """
    return cls(
      low=low,
      high=high,
      mean=(low + high) / 2,
      tolerance=(high - low) / 2 + tolerance,
      **rule,
    )

  def check(self) -> None:
    """Checks that what is given of the number fits together."""
    check_name(self, "metric")
    at_least(self, 0, "step", "std", "tolerance")
    at_least(self, 1, "seeds")
    if self.relative_to is not None and min(self.mean, *self.values, 1) <= 0:
      raise self.wrong("mean", "is a ratio and should be above 0")
    if self.values:
      known = len(self.values), _mean(self.values, self.relative_to)
      if self.seeds != known[0] or not math.isclose(self.mean, known[1]):
        raise self.wrong(
          "mean", "and seeds are not those of its values: use of_runs"
        )
    if (self.low is None) != (self.high is None):
      raise self.wrong("low", "and high are given both or not at all")
    if self.low is not None and self.high is not None:
      if self.low > self.high:
        raise self.wrong("low", f"is {self.low}, above high, {self.high}")
      middle, half = (self.low + self.high) / 2, (self.high - self.low) / 2
      room = (self.tolerance or 0.0) * (1 + 1e-9)
      if not math.isclose(self.mean, middle) or room < half:
        raise self.wrong(
          "mean", "and tolerance are not those of its range: use of_range"
        )


@dataclasses.dataclass(frozen=True, kw_only=True)
class PublishedCurve(Checked):
  """Published values of one metric over steps.

  Attributes:
    arm: the arm that has its settings.
    metric: the metric's name, see `names`.
    steps: of the values.
    values: as many.
    source: where it was published.
    dataset: the name of the data set it was measured on.
  """

  kind: ClassVar[str] = "curve"

  arm: str
  metric: str
  steps: tuple[int, ...]
  values: tuple[float, ...]
  source: str = ""
  dataset: str = ""

  def check(self) -> None:
    """Checks that there is a value for every step."""
    check_name(self, "metric")
    steps, values = len(self.steps), len(self.values)
    if steps != values or not steps:
      raise self.wrong("steps", f"are {steps}, but there are {values} values")


def check_name(rule: Checked, field: str) -> None:
  """Raises ValueError where a field of a rule is not the name of a metric."""
  try:
    parse_name(getattr(rule, field))
  except ValueError as error:
    raise ValueError(f"{type(rule).__name__}.{field}: {error}") from None


def at_least(rule: Checked, least: float, *fields: str) -> None:
  """Raises ValueError where a field of a rule is set to less."""
  for field in fields:
    value = getattr(rule, field)
    if value is not None and value < least:
      raise rule.wrong(field, f"is {value}, but should be at least {least}")


def _mean(values: Sequence[float], relative_to: str | None) -> float:
  positive = relative_to is not None and min(values) > 0
  if positive:
    return statistics.geometric_mean(values)
  return statistics.fmean(values)
