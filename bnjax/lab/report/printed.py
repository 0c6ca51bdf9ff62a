"""What a terminal is told of a run: its results, then what they come to."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich import console, table, text

from bnjax.lab.report.claims import measured_text, statement
from bnjax.lab.report.numbers import format_value
from bnjax.lab.report.render import STYLES, plain, print_tables
from bnjax.lab.report.tables import headline_metric, main_tables
from bnjax.lab.results.names import words

Summary = Mapping[str, Any]


def print_summary(
  summary: Summary,
  notices: Sequence[str] = (),
  output: console.Console | None = None,
) -> None:
  """Prints the results, and last each claim in its author's order.

  Losses step by step, layers and how claims were judged are in the report.
  """
  output = output or console.Console(highlight=False)
  print_tables(main_tables(summary), output)
  for notice in notices:
    output.print(text.Text(f"note: {plain(notice)}"))
  lines = table.Table.grid(padding=(0, 2))
  lines.add_column(no_wrap=True)
  lines.add_column()
  for claim in summary["claims"]:
    verdict, said = claim["verdict"], f"{statement(claim)}: "
    said += _values(summary, claim) or measured_text(claim)
    lines.add_row(
      text.Text(verdict, style=STYLES.get(verdict, "")), text.Text(plain(said))
    )
  output.print(lines)


def _values(summary: Summary, claim: Mapping[str, Any]) -> str:
  """What was measured of both sides of a claim, where each is of an arm."""
  metric, arms = claim["metric"], (claim["arm"], claim["versus"])
  found = [_value(summary, arm, metric, claim["step"]) for arm in arms]
  if claim["versus_metric"] not in (None, metric) or None in found:
    return ""
  both = zip(found, arms, strict=True)
  of = "" if metric == headline_metric(summary) else f"{words(metric)} "
  return of + ", ".join(
    f"{format_value(metric, value)} with {arm}" for value, arm in both
  )


def _value(
  summary: Summary, arm: Any, metric: str, step: int | None
) -> float | None:
  """An arm's mean at a step; at its last one where there is none."""
  own = {
    entry["step"]: entry["mean"]
    for entry in summary["entries"]
    if (entry["arm"], entry["metric"]) == (arm, metric)
  }
  return own.get(max(own) if step is None and own else step)
