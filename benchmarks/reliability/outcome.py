"""What came of an attack, in one of three words."""

import re
from collections.abc import Iterable
from typing import Literal, NamedTuple

Verdict = Literal["survived", "refused", "wrong"]


class Outcome(NamedTuple):
  """What came of one try.

  Attributes:
    verdict: "survived": the right result; "refused": a line that says what is
      wrong, and nothing else; "wrong": all else.
    said: what was printed, or why it is wrong.
  """

  verdict: Verdict
  said: str = ""


class Row(NamedTuple):
  """A row of the table.

  Attributes:
    attack: what was done.
    outcomes: of each try.
    before: what came of it when the issue was written, as the issue says.
  """

  attack: str
  outcomes: list[Outcome]
  before: str

  def count(self, verdict: Verdict) -> int:
    """How many tries ended so."""
    return sum(outcome.verdict == verdict for outcome in self.outcomes)


def refused(text: str) -> Outcome:
  """Of what was refused: wrong where that was not said in one line."""
  lines = [line for line in text.splitlines() if not line.startswith("note: ")]
  told = len(lines) == 1 and len(lines[0]) < 1000
  if told and not re.search(r"Traceback|\x1b|^\w*Error", lines[0]):
    return Outcome("refused", lines[0])
  return Outcome("wrong", f"not a line: {text}")


def wrong(rows: Iterable[Row]) -> list[str]:
  """The tries that went wrong, as lines."""
  return [
    f"{row.attack}: {outcome.said}"
    for row in rows
    for outcome in row.outcomes
    if outcome.verdict == "wrong"
  ]
