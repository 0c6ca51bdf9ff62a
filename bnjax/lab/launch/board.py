"""How a sweep is going: a live table on a terminal, else plain lines."""

import sys
import time
from collections.abc import Sequence
from typing import Any, NamedTuple

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

_SHOWN = 12  # units in the table
_SILENCE = 10.0  # seconds between plain lines, at least


class Line(NamedTuple):
  """A unit that is being trained or waits in a queue.

  Attributes:
    name: what its trials have in common.
    trials: how many of them.
    step: steps done.
    steps: of how many.
  """

  name: str
  trials: int
  step: int
  steps: int


class Stand(NamedTuple):
  """Where a sweep stands.

  Attributes:
    total: trials wanted.
    done: finished ones, earlier runs' among them.
    failed: those with an error.
    best: what the best one has, in words; "" without any.
    lines: a line for each unit that is being trained.
  """

  total: int
  done: int
  failed: int
  best: str
  lines: Sequence[Line]


class Board:
  """Shows where a sweep stands while the context lasts."""

  def __init__(self, console: Console | None = None):
    self._console = console or Console(stderr=True)
    self._live: Live | None = None
    self._start = time.perf_counter()
    self._last = (-_SILENCE, -1, -1)
    self._first: int | None = None

  def __enter__(self) -> "Board":
    if self._console.is_terminal:
      self._live = Live(console=self._console, refresh_per_second=4)
      self._live.start()
    return self

  def __exit__(self, *error: object) -> None:
    if self._live is not None:
      self._live.stop()

  def tell(self, message: str) -> None:
    """Says something that is to stay, such as an error, in one line."""
    if self._live is not None:
      self._console.print(Text(message))
    else:
      print(
        f"[{self._seconds():6.1f} s] {message}", file=sys.stderr, flush=True
      )

  def show(self, stand: Stand) -> None:
    """Shows where the sweep stands now."""
    if self._first is None:
      self._first = stand.done + stand.failed
    if self._live is not None:
      self._live.update(self._render(stand))
      return
    when, done, failed = self._last
    new = (stand.done, stand.failed) != (done, failed)
    over = stand.done + stand.failed == stand.total
    late = self._seconds() - when >= _SILENCE
    if new and (over or late):
      self._last = self._seconds(), stand.done, stand.failed
      self.tell(self._summary(stand))

  def _seconds(self) -> float:
    return time.perf_counter() - self._start

  def _summary(self, stand: Stand) -> str:
    parts = [f"{stand.done} of {stand.total} trials"]
    if stand.failed:
      parts.append(f"{stand.failed} failed")
    if stand.best:
      parts.append(f"best {stand.best}")
    return ", ".join(parts)

  def _render(self, stand: Stand) -> Any:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for name in ("running", "trials", "", "steps"):
      right = name in ("trials", "steps")
      table.add_column(name, justify="right" if right else "left")
    for line in stand.lines[:_SHOWN]:
      bar = ProgressBar(total=max(line.steps, 1), completed=line.step, width=20)
      steps = f"{line.step}/{line.steps}"
      table.add_row(Text(line.name), str(line.trials), bar, steps)
    if len(stand.lines) > _SHOWN:
      table.add_row(f"and {len(stand.lines) - _SHOWN} more", "", "", "")
    text = f"{self._summary(stand)}{self._left(stand)}"
    return Group(Text(text, style="bold"), table)

  def _left(self, stand: Stand) -> str:
    """How long the rest may take, by what was done until now."""
    now = stand.done + stand.failed
    done = now - (self._first or 0)
    elapsed = self._seconds()
    if not done or now == stand.total:
      return f", {elapsed:.0f} s"
    left = elapsed / done * (stand.total - now)
    return f", {elapsed:.0f} s, about {left:.0f} s left"
