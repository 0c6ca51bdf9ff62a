"""Rules: how a run is judged and what of it is shown.

A config file's `get_rules(config)` returns them; what is trained is not part of
them. They are recorded in `rules.json` when training begins.

>>> Rules(
...   title="Two networks",
...   claims={"better": greater("a is better", "a", "b")},
...   published=(
...     PublishedNumber(arm="a", metric="loss", mean=0.3, std=0.1, seeds=5,
...                     dataset="mnist", step=100, source="a post"),
...   ),
... ).claims["better"].direction
'greater'
>>> greater("a is better", "a", "b", margin=-1)
Traceback (most recent call last):
ValueError: Claim.margin is -1, but should be at least 0
"""

import dataclasses
import fnmatch
from collections.abc import Mapping
from typing import Any, Literal

from bnjax.lab.results.checked import Checked
from bnjax.lab.results.figure_kinds import Figure, Layers, check_file_name
from bnjax.lab.results.points import is_number
from bnjax.lab.results.published import (
  PublishedCurve,
  PublishedNumber,
  at_least,
  check_name,
)

_Direction = Literal[
  "greater", "less", "within", "ratio_greater", "ratio_less", "ratio_within"
]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Claim(Checked):
  """A statement about one arm against another arm or against a number.

  `greater`, `less` and `within` write it in a line.

  Attributes:
    text: the statement in words.
    metric: the metric it is about, see `names`.
    arm: the arm it is about.
    versus: another arm (paired by seed), or a number; None for the arm itself,
      where `versus_metric` says what it is compared with.
    versus_metric: the metric of `versus`; the same one if None.
    direction: "greater": arm - versus > margin; "less": versus - arm >
      margin; "within": |arm - versus| < margin; "ratio_greater": arm / versus
      > margin; "ratio_less": versus / arm > margin; "ratio_within": both
      ratios < margin.
    margin: at least 0; of a ratio the factor, at least 1.
    step: the step at which it is judged; the last one if None.
    dataset: where it was claimed; measured on another, it cannot be compared.
    published: what the source says, in words, to be shown beside it.
    setting: which of several settings the statement is judged at: claims of the
      same text count once, and hold where they hold at every setting.
  """

  text: str
  metric: str
  arm: str
  versus: str | float | None = None
  versus_metric: str | None = None
  direction: _Direction = "greater"
  margin: float = 0.0
  step: int | None = None
  dataset: str | None = None
  published: str = ""
  setting: str = ""

  def check(self) -> None:
    """Checks the fields against each other."""
    check_name(self, "metric")
    if self.versus_metric is not None:
      check_name(self, "versus_metric")
    at_least(self, 0, "margin", "step")
    if self.is_ratio and self.margin < 1:
      raise self.wrong(
        "margin",
        f"is {self.margin}, but is the factor of a ratio and should be at "
        "least 1",
      )
    if self.versus is None and self.versus_metric is None:
      raise self.wrong(
        "versus",
        "is None, but should be an arm or a number, or versus_metric a metric "
        "of the same arm",
      )
    if is_number(self.versus):
      if self.versus_metric is not None:
        raise self.wrong("versus", "is a number and has no versus_metric")
      if self.is_ratio and float(self.versus or 0) <= 0:
        raise self.wrong("versus", f"is {self.versus}: a ratio needs more than "
                         "0")  # fmt: skip

  @property
  def is_ratio(self) -> bool:
    """Whether it is about a ratio rather than a difference."""
    return self.direction.startswith("ratio_")

  @property
  def versus_arm(self) -> str | None:
    """The arm it is compared with; None where it is with a number."""
    if self.versus is None:
      return self.arm
    return self.versus if isinstance(self.versus, str) else None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Rules(Checked):
  """How a run is judged, and what its report shows.

  Attributes:
    title: of the report.
    notes: lines for the report.
    published: numbers and curves to compare with.
    claims: name -> what should be so.
    claimed: whose claims they are: a source, as REFERENCES.md has it -> names
      of claims, or patterns of them; those of no source are this project's.
    figures: the file's name -> what it shows; the usual ones if empty.
    tables: name -> tables of a probe's layers, beside the usual ones.
    grid_metric: what says whether a point of the grid is trained.
    grid_threshold: from which value of it on it is.
  """

  title: str = ""
  notes: tuple[str, ...] = ()
  published: tuple[PublishedNumber | PublishedCurve, ...] = ()
  claims: Mapping[str, Claim] = dataclasses.field(default_factory=dict)
  claimed: Mapping[str, tuple[str, ...]] = dataclasses.field(
    default_factory=dict
  )
  figures: Mapping[str, Figure] = dataclasses.field(default_factory=dict)
  tables: Mapping[str, Layers] = dataclasses.field(default_factory=dict)
  grid_metric: str = "validation_accuracy"
  grid_threshold: float = 0.9

  def check(self) -> None:
    """Checks the names of figures, which are those of files."""
    for name in self.figures:
      check_file_name(name)

  def source(self, name: str) -> str:
    """Whose a claim is; "" for this project's."""
    for source, patterns in self.claimed.items():
      if any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns):
        return source
    return ""

  @property
  def numbers(self) -> tuple[PublishedNumber, ...]:
    """The published numbers."""
    return tuple(p for p in self.published if isinstance(p, PublishedNumber))

  @property
  def curves(self) -> tuple[PublishedCurve, ...]:
    """The published curves."""
    return tuple(p for p in self.published if isinstance(p, PublishedCurve))


def greater(
  text: str,
  arm: str,
  versus: str | float | None,
  metric: str = "test_accuracy",
  *,
  times: float | None = None,
  **fields: Any,
) -> Claim:
  """The claim that `arm` has more of a metric than `versus`.

  Args:
    text: the claim in words.
    arm: of the config.
    versus: another arm, or a number; None for the arm itself, with a
      `versus_metric`.
    metric: what is compared, at the last step.
    times: more than so many times as much; more by any difference if None.
    **fields: further fields of `Claim`.
  """
  if times is not None:
    fields["margin"] = times
  return Claim(
    text=text,
    metric=metric,
    arm=arm,
    versus=versus,
    direction="greater" if times is None else "ratio_greater",
    **fields,
  )


def less(
  text: str,
  arm: str,
  versus: str | float | None,
  metric: str = "test_accuracy",
  *,
  times: float | None = None,
  **fields: Any,
) -> Claim:
  """The claim that `arm` has less of a metric than `versus`: see `greater`."""
  claim = greater(text, arm, versus, metric, times=times, **fields)
  return dataclasses.replace(
    claim, direction="less" if times is None else "ratio_less"
  )


def within(
  margin: float,
  text: str,
  arm: str,
  versus: str | float | None,
  metric: str = "test_accuracy",
  *,
  ratio: bool = False,
  **fields: Any,
) -> Claim:
  """The claim that two arms differ by less than a margin: see `greater`.

  The margin is a difference, or the factor of a ratio.
  """
  direction: _Direction = "ratio_within" if ratio else "within"
  return Claim(
    text=text,
    metric=metric,
    arm=arm,
    versus=versus,
    direction=direction,
    margin=margin,
    **fields,
  )
