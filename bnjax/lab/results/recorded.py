"""`rules.json`: the rules of a run, and those that its training began with.

    {"digest": sha256 of the rules in `first`, or in `rules` without it,
     "rules": how the run is judged,
     "first": the rules when training began, where they were others}

Rules may be changed after a run: it is then judged anew, and its summary says
of each claim and published number what was changed.
"""

import hashlib
import json
import os
import pathlib
from typing import Any, NamedTuple

from bnjax.lab.results.checked import Checked
from bnjax.lab.results.published import PublishedCurve, PublishedNumber
from bnjax.lab.results.records import read_json, write_json
from bnjax.lab.results.rules import Claim, Rules

NAME = "rules.json"
_WORDS = ("text", "published", "source", "setting")


class Recorded(NamedTuple):
  """The rules of a work directory.

  Attributes:
    rules: how it is judged.
    first: the rules when training began.
    notices: what was odd about the file, one line each.
  """

  rules: Rules = Rules()
  first: Rules = Rules()
  notices: tuple[str, ...] = ()


def digest(rules: Rules) -> str:
  """The SHA-256 of the rules as JSON.

  >>> digest(Rules())[:8]
  '44136fa3'
  """
  text = json.dumps(rules.to_json(), sort_keys=True, ensure_ascii=False)
  return hashlib.sha256(text.encode()).hexdigest()


def write_rules(
  folder: str | os.PathLike[str], rules: Rules, first: Rules | None = None
) -> None:
  """Writes `rules.json`; `first` are those when training began, if others."""
  first = rules if first is None else first
  whole: dict[str, Any] = {"digest": digest(first), "rules": rules.to_json()}
  if first != rules:
    whole["first"] = first.to_json()
  write_json(pathlib.Path(folder) / NAME, whole)


def read_rules(folder: str | os.PathLike[str]) -> Recorded:
  """Reads `rules.json`; where there is none, there are no rules.

  Raises:
    ValueError: it is damaged, or a rule in it is wrong; in one line.
  """
  path = pathlib.Path(folder) / NAME
  if not os.path.lexists(path):
    return Recorded()
  whole = read_json(path)
  if "rules" not in whole:
    raise ValueError(f"{NAME} does not hold rules")
  try:
    rules = Rules.from_json(whole["rules"])
    first = Rules.from_json(whole.get("first", whole["rules"]))
  except ValueError as error:
    raise ValueError(f"{NAME}: {error}") from None
  notices = []
  if digest(first) != whole.get("digest"):
    notices.append(
      f"{NAME} was changed by hand: its digest is not that of the rules that "
      "training began with"
    )
  return Recorded(rules, first, tuple(notices))


def change(now: Checked, before: Checked | None) -> str:
  """What of a rule was changed after the run; "" if nothing was.

  >>> from bnjax.lab.results.rules import greater
  >>> change(greater("more", "a", "b"), greater("more", "a", "b", times=2))
  'rule changed after the run: direction was ratio_greater, margin was 2'
  """
  if before is None:
    return "added after the run"
  if now == before:
    return ""
  old, new = vars(before), vars(now)
  fields = [name for name in old if old[name] != new.get(name)]
  what = "words" if set(fields) <= {*_WORDS} else "rule"
  said = lambda value: "empty" if value == "" else value
  was = ", ".join(f"{name} was {said(old[name])}" for name in fields)
  return f"{what} changed after the run: {was}"


def changes(recorded: Recorded) -> list[str]:
  """What of the rules was changed after the run, one line each."""
  rules, first = recorded.rules, recorded.first
  lines = [
    f"claim {name!r}: {what}"
    for name, claim in rules.claims.items()
    if (what := change(claim, first.claims.get(name)))
  ]
  lines += [
    f"published {number.metric} of {number.arm}: {what}"
    for number in rules.numbers
    if (what := change(number, of_first(number, first)))
  ]
  return lines + _dropped(rules, first)


def _dropped(rules: Rules, first: Rules) -> list[str]:
  """What was taken out of the rules after the run."""
  lines = [
    f"claim {name!r} was dropped after the run: {claim.text} ({_rule(claim)})"
    for name, claim in first.claims.items()
    if name not in rules.claims
  ]
  there = {_key(published) for published in rules.published}
  lines += [
    f"published {p.metric} of {p.arm} was dropped after the run"
    for p in first.published
    if _key(p) not in there
  ]
  lines += [
    f"{name} was changed after the run: it was {getattr(first, name)}"
    for name in ("grid_metric", "grid_threshold")
    if getattr(first, name) != getattr(rules, name)
  ]
  return lines


def of_first(number: PublishedNumber, first: Rules) -> PublishedNumber | None:
  """The published number of the same metric when training began, if any."""
  same = [p for p in first.numbers if _key(p) == _key(number)]
  return number if number in same else next(iter(same), None)


def _key(rule: PublishedNumber | PublishedCurve) -> tuple[str, str, Any]:
  """What a published number or curve is of."""
  at = rule.step if isinstance(rule, PublishedNumber) else rule.steps
  return rule.arm, rule.metric, at


def _rule(claim: Claim) -> str:
  versus = claim.versus_arm if claim.versus is None else claim.versus
  than = f"{claim.versus_metric or ''} {versus}".strip()
  return (
    f"{claim.metric}: {claim.arm} {claim.direction} {than}, "
    f"margin {claim.margin:g}"
  )
