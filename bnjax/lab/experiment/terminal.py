"""Progress for people: bars on a terminal, a line now and then elsewhere."""

import contextlib
import math
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

from rich import progress as rich_progress
from rich.console import Console
from rich.table import Column
from rich.text import Text

from bnjax.lab.errors import plain
from bnjax.lab.experiment.progress import Progress, duration, number

Show = Callable[[Progress], None]

_LONGEST = 60.0  # seconds between two lines, at most


@contextlib.contextmanager
def show_progress(*, quiet: bool = False) -> Iterator[Show]:
  """A function that shows `Progress` on the standard error."""
  console = Console(stderr=True)
  if quiet:
    yield lambda progress: _say(progress.message) if progress.notice else None
  elif console.is_terminal:
    with Bars(console) as bars:
      yield bars.show
  else:
    yield Lines()


def _say(text: str) -> None:
  print(plain(text), file=sys.stderr, flush=True)


class _Parts(rich_progress.Progress):
  """The parts of a run as tasks of rich, which knows how fast they are.

  A task's first update, which ends with what was compiled, is left out of its
  speed.
  """

  def __init__(self, *columns: rich_progress.ProgressColumn, **options: Any):
    super().__init__(*columns, speed_estimate_period=math.inf, **options)
    self._known: dict[int, rich_progress.TaskID] = {}

  def follow(self, progress: Progress) -> rich_progress.Task:
    """Takes in how far a part is; its task."""
    if progress.part not in self._known:
      self._known[progress.part] = self.add_task(
        plain(progress.arm), total=progress.steps or 1, said="", message=""
      )
    found = self._known[progress.part]
    news: Any = {"said": progress.message} if progress.message else {}
    self.update(found, completed=progress.step, **news)
    return next(task for task in self.tasks if task.id == found)

  def forget(self, part: int) -> None:
    """Removes a part, which has ended."""
    self.remove_task(self._known.pop(part))


def describe(progress: Progress, task: rich_progress.Task) -> str:
  """One line of how a part of the run goes."""
  part = f"{progress.part + 1}/{progress.parts} " * (progress.parts > 1)
  head = f"{part}{progress.arm} {progress.step}/{progress.steps}"
  facts = [task.fields["said"]] if task.fields["said"] else []
  if progress.networks > 1:
    facts.append(f"{progress.networks} networks")
  if progress.step == progress.steps:
    facts.append(f"done in {duration(task.elapsed or 0)}")
  elif task.speed:
    facts.append(f"{number(task.speed)} steps/s")
    facts.append(f"{duration(task.time_remaining or 0)} left")
  return f"{head}: {', '.join(facts)}" if facts else head


class Lines:
  """Plain lines: of each part's end, and else at most one a second.

  The longer it lasts, the rarer they get, so that no log is flooded.
  """

  def __init__(
    self,
    say: Callable[[str], None] = _say,
    clock: Callable[[], float] = time.monotonic,
  ):
    self._say = say
    self._clock = clock
    self._parts = _Parts(get_time=clock)
    self._start = clock()
    self._next = self._start

  def __call__(self, progress: Progress) -> None:
    """Shows the progress, or keeps it to itself."""
    now = self._clock()
    stamp = f"[{now - self._start:6.1f} s]"
    if not progress.arm:
      self._say(f"{stamp} {progress.message}")
      return
    task = self._parts.follow(progress)
    ended = progress.step == progress.steps
    if not ended and now < self._next:
      return
    self._say(f"{stamp} {describe(progress, task)}")
    if ended:
      self._parts.forget(progress.part)
    self._next = now + min(max(1.0, (now - self._start) / 50), _LONGEST)


class Bars(_Parts):
  """A bar for each part in training, and one for all; a line for each done."""

  def __init__(self, console: Console):
    text = lambda name, width: rich_progress.TextColumn(
      f"{{task.{name}}}",
      markup=False,
      table_column=Column(no_wrap=True, overflow="ellipsis", max_width=width),
    )
    super().__init__(
      text("description", 28),
      rich_progress.BarColumn(bar_width=12),
      rich_progress.MofNCompleteColumn(),
      rich_progress.TimeRemainingColumn(),
      text("fields[message]", None),
      console=console,
    )
    self._all: rich_progress.TaskID | None = None

  def show(self, progress: Progress) -> None:
    """Shows the progress."""
    if not progress.arm:
      self._say(progress.message)
      return
    if progress.parts > 1 and self._all is None:
      total, ended = progress.parts, progress.part
      self._all = self.add_task(
        "all parts", total=total, completed=ended, message=""
      )
    task = self.follow(progress)
    if progress.step == progress.steps:
      self._say(describe(progress, task))
      self.forget(progress.part)
      if self._all is not None:
        self.advance(self._all)
      return
    facts = [f"{number(task.speed)} steps/s"] if task.speed else []
    message = ", ".join(filter(None, [*facts, task.fields["said"]]))
    self.update(task.id, message=message)

  def _say(self, line: str) -> None:
    self.console.print(Text(plain(line)), soft_wrap=True)
