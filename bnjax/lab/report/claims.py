"""The claims of a summary: as a table, as text, and how many hold."""

import collections
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from bnjax.lab.report.numbers import format_difference, format_ratio
from bnjax.lab.report.render import NONE, TIMES, Table
from bnjax.lab.results.names import words
from bnjax.lab.results.verdicts import (
  FAILS,
  HOLDS,
  INCOMPARABLE,
  UNDECIDED,
)

MINUS = "\N{MINUS SIGN}"

_OPEN = (UNDECIDED, INCOMPARABLE)
_WORST_FIRST = (FAILS, UNDECIDED, INCOMPARABLE, HOLDS)


def claims_table(summary: Mapping[str, Any]) -> Table:
  """The claims with their rules, what was measured, and verdicts."""
  claims = summary["claims"]
  several = len({claim["seeds"] for claim in claims}) > 1
  quoted = any(claim.get("published") for claim in claims)
  rows, notes = [], []
  for claim in claims:
    row = {
      "claim": statement(claim),
      "compared": compared(claim),
      "rule": rule_text(claim),
      "measured [95% interval]": measured_text(claim),
      "p, Holm": p_text(claim),
    }
    if several:
      row["seeds"] = str(claim["seeds"])
    if quoted:
      row["published"] = claim.get("published") or NONE
    rows.append(row | {"verdict": claim["verdict"]})
    if claim["reason"]:
      notes.append(f"{claim['verdict']}: {statement(claim)}: {claim['reason']}")
  notes += [text] if (text := holm_text(claims)) else []
  return Table.of("Claims, judged seed by seed", rows, notes)


def statement(claim: Mapping[str, Any]) -> str:
  """A claim in words, with the setting it is judged at."""
  setting = claim.get("setting")
  return f"{claim['text']} ({setting})" if setting else str(claim["text"])


def p_text(claim: Mapping[str, Any]) -> str:
  """The p-value with Holm's correction, where there is one."""
  p = claim.get("p_holm")
  return NONE if p is None else f"{p:.2g}" if p >= 1e-4 else "< 0.0001"


def by_luck(claim: Mapping[str, Any]) -> bool:
  """Whether a claim holds, but not with Holm's correction."""
  return claim["verdict"] == HOLDS and (claim.get("p_holm") or 0) >= 0.05


def verdict_text(claim: Mapping[str, Any]) -> str:
  """The verdict on a claim, and whether it holds by itself alone."""
  return f"{claim['verdict']}{' alone' * by_luck(claim)}"


def worst(verdicts: Iterable[str]) -> str:
  """The least favourable of some verdicts: what they come to together.

  >>> worst(["holds", "undecided"])
  'undecided'
  """
  return min(verdicts, key=_WORST_FIRST.index)


def holm_text(claims: Sequence[Mapping[str, Any]]) -> str:
  """What Holm's correction is for, where there are several claims."""
  tests = sum(claim.get("p_holm") is not None for claim in claims)
  if tests < 2:
    return ""
  chance = 1 - 0.975**tests
  return (
    f"p, Holm: corrected for the {tests} tests of this run; without that the "
    f"chance that one of them holds by luck is up to {chance:.0%}"
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
    "ratio_within": f"within {TIMES}/÷ {factor:g}",
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


def details(claim: Mapping[str, Any]) -> str:
  """What was measured for a claim, beside its rule, in a sentence."""
  text = f"{compared(claim)}: {measured_text(claim)}, rule {rule_text(claim)}"
  if claim.get("p_holm") is not None:
    text += f", p {p_text(claim)}"
  if claim.get("published"):
    text += f"; published: {claim['published']}"
  return f"{text}; {claim['reason']}" if claim["reason"] else text


def tally(judged: Iterable[Mapping[str, Any]]) -> str:
  """How many claims or published numbers hold, each of them counted once.

  A claim judged at several settings holds where it holds at all of them. A
  published number counts at its own settings, not at others that were tried.

  >>> tally([{"verdict": "holds"}, {"verdict": "undecided"}])
  '1 of 2 hold, 1 undecided'
  """
  own: dict[Any, set[str]] = {}
  others: list[str] = []
  for place, one in enumerate(judged):
    published = one.get("published")
    if isinstance(published, Mapping) and published.get("setting"):
      others.append(one["verdict"])
    else:
      own.setdefault(one.get("text", place), set()).add(one["verdict"])
  counts = collections.Counter(map(worst, own.values()))
  if not counts:
    return NONE
  parts = [f"{counts[HOLDS]} of {counts.total()} hold"]
  parts += [f"{counts[kind]} {kind}" for kind in _OPEN if counts[kind]]
  if others:
    holding = others.count(HOLDS)
    parts.append(f"at other settings {holding} of {len(others)}")
  return ", ".join(parts)
