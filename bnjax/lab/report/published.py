"""A published number beside what was measured, in words."""

from collections.abc import Mapping, Sequence
from typing import Any

from bnjax.lab.report import numbers
from bnjax.lab.results.names import words

Entry = Mapping[str, Any]


def ours(entry: Entry) -> str:
  """What was measured; a ratio where that is what was published."""
  if entry["published"] and entry["published"].get("relative_to"):
    return numbers.format_ratio(entry["ratio"], entry["ratio_interval"])
  return numbers.format_result(entry)


def setting(entry: Entry, entries: Sequence[Entry]) -> str:
  """The arm, and what else tells this entry from the others."""
  rule = entry["published"] or {}
  parts = [rule["setting"]] if rule.get("setting") else []
  if "@" in entry["metric"]:
    parts.append(words(entry["metric"]).partition(" at ")[2])
  if len({other["step"] for other in entries}) > 1:
    parts.append(f"step {entry['step']:,}")
  return entry["arm"] + (f" ({', '.join(parts)})" if parts else "")


def doubt(entry: Entry) -> str:
  """A published number beside what was measured, in words."""
  rule, metric = entry["published"], entry["metric"]
  return (
    f"{setting(entry, [entry])}, {words(metric)}: ours {ours(entry)}, "
    f"published {numbers.format_published(metric, rule)}, difference "
    f"{numbers.format_compared(entry)}, margin {numbers.format_margin(entry)}"
  )
