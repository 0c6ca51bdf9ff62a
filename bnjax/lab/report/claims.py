"""The claims of a summary: as a table, as text, and how many hold."""

import collections
from collections.abc import Iterable, Mapping
from typing import Any

from bnjax.lab.report.numbers import format_difference, format_ratio
from bnjax.lab.report.render import NONE, TIMES, Table
from bnjax.lab.results.names import words
from bnjax.lab.results.verdicts import HOLDS, INCOMPARABLE, UNDECIDED

MINUS = "\N{MINUS SIGN}"

_OPEN = (UNDECIDED, INCOMPARABLE)


def claims_table(summary: Mapping[str, Any]) -> Table:
  """The claims with their rules, what was measured, and verdicts."""
  claims = summary["claims"]
  several = len({claim["seeds"] for claim in claims}) > 1
  quoted = any(claim.get("published") for claim in claims)
  rows, notes = [], []
  for claim in claims:
    rows.append(
      (
        claim["text"],
        compared(claim),
        rule_text(claim),
        measured_text(claim),
        *([str(claim["seeds"])] if several else []),
        *([claim.get("published") or NONE] if quoted else []),
        claim["verdict"],
      )
    )
    if claim["reason"]:
      notes.append(f"{claim['verdict']}: {claim['text']}: {claim['reason']}")
  columns = [
    "claim",
    "compared",
    "rule",
    "measured",
    *(["seeds"] if several else []),
    *(["published"] if quoted else []),
    "verdict",
  ]
  return Table(
    "Claims, judged seed by seed", tuple(columns), tuple(rows), tuple(notes)
  )


def compared(claim: Mapping[str, Any]) -> str:
  """What is subtracted or divided, in words."""
  sign = "/" if claim["direction"].startswith("ratio") else MINUS
  metric, other = words(claim["metric"]), claim.get("versus_metric")
  versus = claim["versus"]
  if other is None:
    return f"{metric}: {claim['arm']} {sign} {versus}"
  of = f" of {versus}" if versus is not None else ""
  return f"{claim['arm']}: {metric} {sign} {words(other)}{of}"


def rule_text(claim: Mapping[str, Any]) -> str:
  """Where the measured difference or ratio has to lie."""
  margin = claim["margin"]
  factor = margin or 1
  rules = {
    "greater": f"> {margin:g}",
    "less": f"< {-margin or 0:g}",
    "within": f"within ±{margin:g}",
    "ratio_greater": f"> {TIMES}{factor:g}",
    "ratio_less": f"< {TIMES}{1 / factor:.3g}",
  }
  return rules[claim["direction"]]


def measured_text(claim: Mapping[str, Any]) -> str:
  """The difference or ratio with its interval."""
  bound = claim.get("bound") or 0
  if claim["direction"].startswith("ratio"):
    return format_ratio(claim["ratio"], claim["ratio_interval"], bound)
  difference = claim["difference"]
  return format_difference(
    claim["metric"], difference, claim["interval"], bound
  )


def tally(judged: Iterable[Mapping[str, Any]]) -> str:
  """How many hold; of the others, how many could not be decided.

  >>> tally([{"verdict": "holds"}, {"verdict": "undecided"}])
  '1 of 2 hold, 1 undecided'
  """
  counts = collections.Counter(item["verdict"] for item in judged)
  parts = [f"{counts[kind]} {kind}" for kind in _OPEN if counts[kind]]
  if not counts:
    return NONE
  return ", ".join([f"{counts[HOLDS]} of {counts.total()} hold", *parts])
