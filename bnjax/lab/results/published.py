"""Published numbers and curves, as rules compare them with what is measured.

>>> low, high = PublishedNumber.of_range(
...   0.956, 0.976, arm="a", metric="test_accuracy", dataset="mnist", step=10,
...   source="a post",
... ).room
>>> round(low, 6), round(high, 6)
(-0.02, 0.02)
"""

import dataclasses
import math
import statistics
from collections.abc import Sequence
from typing import Any, ClassVar

from bnjax.lab.results.checked import Checked
from bnjax.lab.results.names import is_fraction, parse_name

POINT = 0.01  # of accuracy: how far ours may be, if a rule does not say
_TENTH = 1.1  # likewise of what is no fraction: a factor


@dataclasses.dataclass(frozen=True, kw_only=True)
class PublishedNumber(Checked):
  """A published mean over seeds of one metric at one step.

  `of_runs` makes it of independent runs and `of_range` of a range.

  Attributes:
    arm: the arm that has its settings.
    metric: the metric's name, see `names`.
    mean: the published mean; of `values`, or the middle of a range where those
      are given (geometric, where it is compared on the log scale).
    dataset: the name of the data set it was measured on.
    step: the number of training steps it was measured after.
    source: where it was published.
    std: standard deviation over seeds, divided by n as `np.std` does.
    seeds: how many runs it is of.
    margin: how far ours may be and count as equal, on either side of it or of
      its range. If None, one point of a fraction (.01), of other numbers a
      tenth.
    factor: instead of a margin: ours may be so many times as large, or as
      small; the comparison is then on the log scale.
    values: of independent runs, where they are known one by one.
    low: the least number of a range.
    high: its greatest.
    relative_to: an arm: the number is the ratio of this arm's metric to that
      one's, compared on the log scale, with a factor of 1.1 if none is given.
    setting: what the arm has otherwise than published, where other settings
      are tried; such a number is judged, but counts in no tally.
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
  margin: float | None = None
  factor: float | None = None
  values: tuple[float, ...] = ()
  low: float | None = None
  high: float | None = None
  relative_to: str | None = None
  setting: str = ""

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
      mean=_mean(values, relative_to is not None or "factor" in rule),
      std=statistics.pstdev(values),
      seeds=len(values),
      relative_to=relative_to,
      **rule,
    )

  @classmethod
  def of_range(
    cls, low: float, high: float, *, relative_to: str | None = None, **rule: Any
  ) -> "PublishedNumber":
    """A published range, widened by the margin on either side."""
    logs = relative_to is not None or "factor" in rule
    mean = _mean((low, high), logs)
    return cls(low=low, high=high, mean=mean, relative_to=relative_to, **rule)

  @property
  def on_logs(self) -> bool:
    """Whether it is compared on the log scale."""
    return self.relative_to is not None or self.factor is not None

  @property
  def room(self) -> tuple[float, float]:
    """Where ours - published may lie; of logarithms, where it is on those."""
    low = self.mean if self.low is None else self.low
    high = self.mean if self.high is None else self.high
    if self.on_logs:
      own = math.log(self.factor or _TENTH)
      middle = math.log(self.mean)
      return math.log(low) - middle - own, math.log(high) - middle + own
    margin = self.margin
    if margin is None:
      fraction = is_fraction(self.metric)
      margin = POINT if fraction else abs(self.mean) * (_TENTH - 1)
    return low - self.mean - margin, high - self.mean + margin

  def check(self) -> None:
    """Checks that what is given of the number fits together."""
    check_name(self, "metric")
    at_least(self, 0, "step", "std", "margin")
    at_least(self, 1, "seeds", "factor")
    if self.margin is not None and self.on_logs:
      raise self.wrong("margin", "is of differences: give a factor")
    numbers = [n for n in (self.mean, *self.values, self.low) if n is not None]
    if self.on_logs and min(numbers) <= 0:
      raise self.wrong("mean", "is a ratio and should be above 0")
    if self.values:
      known = len(self.values), _mean(self.values, self.on_logs)
      if self.seeds != known[0] or not math.isclose(self.mean, known[1]):
        raise self.wrong(
          "mean", "and seeds are not those of its values: use of_runs"
        )
    if (self.low is None) != (self.high is None):
      raise self.wrong("low", "and high are given both or not at all")
    if self.low is not None and self.high is not None:
      if self.low > self.high:
        raise self.wrong("low", f"is {self.low}, above high, {self.high}")
      middle = _mean((self.low, self.high), self.on_logs)
      if not math.isclose(self.mean, middle):
        raise self.wrong("mean", "is not that of its range: use of_range")


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


def _mean(values: Sequence[float], on_logs: bool) -> float:
  if on_logs and min(values) > 0:
    return statistics.geometric_mean(values)
  return statistics.fmean(values)
