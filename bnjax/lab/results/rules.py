"""The rules of a config: published numbers and curves, and claims.

    published = {arm: {metric: number or curve}}
      number = {"mean": .8853, "std": .0079, "seeds": 5, "source": "...",
                "dataset": "mnist", "step": 1000, "tolerance": 0.0}
      curve = {"steps": [100, ...], "values": [...], "source": "...",
               "dataset": "mnist"}
    claims = {name: {"text": "...", "metric": "test_accuracy",
                     "arm": "batch_norm", "versus": "no_batch_norm",
                     "direction": "greater", "margin": 0.0, "step": 1000}}

A number may be given in other ways than by its mean:

    {"values": [.816, .826, .831], ...}  independent runs: their mean, standard
                                         deviation and count
    {"low": .956, "high": .975, ...}     a range: any number in it will do
    {"mean": 1.31, "relative_to": "no_batch_norm", ...}
                                         the arm's metric over the other's

A key of a metric may be any word where the rule itself has a `metric`: for two
rules about one metric, and for names with a dot in them. `names` says what a
metric may be, and `verdicts` what follows from each field.
"""

import dataclasses

DIFFERENCES = ("greater", "less", "within")
RATIOS = ("ratio_greater", "ratio_less")
DIRECTIONS = (*DIFFERENCES, *RATIOS)


@dataclasses.dataclass(frozen=True, kw_only=True)
class PublishedNumber:
  """A published mean over seeds of one metric at one step.

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


@dataclasses.dataclass(frozen=True, kw_only=True)
class PublishedCurve:
  """Published values of one metric over steps."""

  arm: str
  metric: str
  steps: tuple[int, ...]
  values: tuple[float, ...]
  source: str = ""
  dataset: str = ""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Claim:
  """A statement about one arm against another arm or against a number.

  Attributes:
    name: its key in the config.
    text: the statement in words.
    metric: the metric it is about, see `names`.
    arm: the arm it is about.
    versus: another arm (paired by seed), or a number; None for the arm itself,
      where `versus_metric` says what it is compared with.
    versus_metric: the metric of `versus`; the same one if None.
    direction: "greater": arm - versus > margin; "less": versus - arm >
      margin; "within": |arm - versus| < margin; "ratio_greater": arm / versus
      > margin; "ratio_less": versus / arm > margin.
    margin: at least 0; of a ratio the factor, at least 1, which is what it is
      if not given.
    step: the step at which it is judged; the last one if None.
    dataset: where it was claimed; measured on another, it cannot be compared.
    published: what the source says, in words, to be shown beside it.
  """

  name: str
  text: str
  metric: str
  arm: str
  versus: str | float | None = None
  versus_metric: str | None = None
  direction: str = "greater"
  margin: float = 0.0
  step: int | None = None
  dataset: str | None = None
  published: str = ""

  @property
  def is_ratio(self) -> bool:
    """Whether it is about a ratio rather than a difference."""
    return self.direction in RATIOS

  @property
  def versus_arm(self) -> str | None:
    """The arm it is compared with; None where it is with a number."""
    if self.versus is None:
      return self.arm
    return self.versus if isinstance(self.versus, str) else None
