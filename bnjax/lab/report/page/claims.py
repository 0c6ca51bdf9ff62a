"""Every claim and published number of many experiments, a row each."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from bnjax.lab.report import claims, numbers, published
from bnjax.lab.report.page.experiment import Experiment
from bnjax.lab.report.render import NONE
from bnjax.lab.report.wording import sentence
from bnjax.lab.results.names import words

OURS = "this project"


class Claimed(NamedTuple):
  """A claim, or a published number, as a row of the page.

  Attributes:
    source: whose it is.
    text: in words, with its setting.
    measured: ours, with its interval.
    published: what the source has; a dash if it has no number.
    asked: what the rule asks of what was measured.
    verdict: on it; "holds alone" where it does not with Holm's correction.
    color: the verdict that it has the colour of.
  """

  source: str
  text: str
  measured: str
  published: str
  asked: str
  verdict: str
  color: str


def claimed(one: Experiment) -> Iterator[Claimed]:
  """The claims of an experiment, then the published numbers."""
  for claim in one.summary["claims"]:
    yield Claimed(
      one.records.rules.source(claim["name"]) or OURS,
      claims.statement(claim),
      claims.measured_text(claim),
      claim.get("published") or NONE,
      claims.rule_text(claim),
      claims.verdict_text(claim),
      claim["verdict"],
    )
  for entry in one.published:
    yield number(entry)


def number(entry: Mapping[str, Any]) -> Claimed:
  """A published number of an experiment."""
  rule, metric = entry["published"], entry["metric"]
  differs = numbers.format_compared(entry)
  return Claimed(
    source_of(rule),
    f"{sentence(words(metric))}: {published.setting(entry, [entry])}",
    f"{published.ours(entry)}, difference {differs}",
    numbers.format_published(metric, rule),
    f"within {numbers.format_margin(entry)}",
    entry["verdict"],
    entry["verdict"],
  )


def source_of(rule: Mapping[str, Any]) -> str:
  """Whose a published number is: the source up to its first comma."""
  return str(rule["source"]).partition(",")[0]
