"""The rules of a config: published numbers and curves, and claims.

    published = {arm: {metric: number or curve}}
      number = {"mean": .8853, "std": .0079, "seeds": 5, "source": "...",
                "dataset": "mnist", "step": 1000, "tolerance": 0.0}
      curve = {"steps": [100, ...], "values": [...], "source": "...",
               "dataset": "mnist"}
    claims = {name: {"text": "...", "metric": "test_accuracy",
                     "arm": "batch_norm", "versus": "no_batch_norm",
                     "direction": "greater", "margin": 0.0, "step": 1000}}

`verdicts` says what follows from each field.
"""

import dataclasses

DIRECTIONS = ("greater", "less", "within")


@dataclasses.dataclass(frozen=True, kw_only=True)
class PublishedNumber:
  """A published mean over seeds of one metric at one step.

  Attributes:
    arm: the arm that has its settings.
    metric: the metric's name in the records.
    mean: the published mean.
    dataset: the name of the data set it was measured on.
    step: the number of training steps it was measured after.
    source: where it was published.
    std: standard deviation over seeds, divided by n as `np.std` does.
    seeds: how many runs it is of.
    tolerance: added to both sides of the interval of the difference.
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
    metric: the metric it is about.
    arm: the arm it is about.
    versus: another arm (paired by seed), or a number.
    direction: "greater": arm - versus > margin; "less": versus - arm >
      margin; "within": |arm - versus| < margin.
    margin: at least 0.
    step: the step at which it is judged; the last one if None.
  """

  name: str
  text: str
  metric: str
  arm: str
  versus: str | float
  direction: str = "greater"
  margin: float = 0.0
  step: int | None = None
