"""The table: measured, written as Markdown, and read back."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from benchmarks.conformance.checks import CHECKS
from benchmarks.conformance.libraries import OURS, load
from benchmarks.conformance.outcome import Outcome, run

_INTRODUCTION = """\
Where batch norm goes wrong in practice, measured. Every cell is computed
against a float64 reference or an exact rule; an exception is shown by its
type. All have epsilon 1e-5 and, where a row does not say otherwise, decay
0.99; else they are as by default. "Two-pass" is `use_fast_variance=False`;
Equinox has `mode="batch"`. What has to be asked for: in D4 and D6
`debiased_ema` of bnjax and `momentum=None` of PyTorch, in D8
`missing_axis="ignore"`, in D10 `activation="relu"` of bnjax, in D5 and D10c
`dtype` where there is one, in D10 and D13 `track_running_stats=False` of
PyTorch, without which `torch.func` refuses."""


class Row(NamedTuple):
  """One row: what it says, and the outcome of each library.

  Attributes:
    says: what is checked, and what is expected.
    cells: name of a library -> outcome.
  """

  says: str
  cells: dict[str, Outcome]


Table = Mapping[str, Row]


def measure(names: Iterable[str]) -> dict[str, Row]:
  """Returns the table of the libraries of these names, by key of the check."""
  loaded = {name: load(name) for name in names}
  return {
    check.key: Row(
      check.says, {name: run(check, it) for name, it in loaded.items()}
    )
    for check in CHECKS
  }


def to_markdown(table: Table, facts: Sequence[str]) -> str:
  """Returns the page.

  Args:
    table: what was measured.
    facts: how it was measured, one line each.
  """
  libraries = list(next(iter(table.values())).cells)
  rows = [["defect", "what is checked, and expected", *libraries]]
  rows += [["---"] * len(rows[0])]
  for key, (says, cells) in table.items():
    rows.append([key, says, *map(_to_cell, cells.values())])
  lines = [f"| {' | '.join(row)} |" for row in rows]
  made = [f"- {fact}" for fact in facts]
  head = ["# Conformance", "", _INTRODUCTION, "", *made, ""]
  return "\n".join([*head, *lines]) + "\n"


def parse(text: str) -> dict[str, Row]:
  """Returns the table of a page that `to_markdown` made."""
  lines = [line for line in text.splitlines() if line.startswith("| ")]
  head, _, *rows = [line[2:-2].split(" | ") for line in lines]
  return {
    key: Row(says, dict(zip(head[2:], map(_from_cell, cells), strict=True)))
    for key, says, *cells in rows
  }


def failures(table: Table) -> list[str]:
  """Returns the cells of bnjax that are not as they should be, as lines."""
  return [
    f"{key} {name}: {row.cells[name].verdict} {row.cells[name].measured}"
    for key, row in table.items()
    for name in OURS
    if row.cells[name].verdict not in ("right", "not applicable")
  ]


def _to_cell(outcome: Outcome) -> str:
  mark = "**" if outcome.verdict == "wrong" else ""
  text = f"{mark}{outcome.verdict}{mark}"
  return f"{text}: {outcome.measured}" if outcome.measured else text


def _from_cell(text: str) -> Outcome:
  verdict: Any
  verdict, _, measured = text.partition(": ")
  return Outcome(verdict.strip("*"), measured)
