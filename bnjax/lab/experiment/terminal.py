"""Progress for people: bars on a terminal, a line now and then elsewhere."""

import contextlib
import sys
import time
from collections.abc import Callable, Iterator

from rich import progress as rich_progress
from rich.console import Console
from rich.table import Column
from rich.text import Text

from bnjax.lab.errors import plain
from bnjax.lab.experiment.meter import Meter, Pace, duration, number
from bnjax.lab.experiment.progress import Progress

Show = Callable[[Progress], None]

_LONGEST = 60.0  # seconds between two lines, at most


@contextlib.contextmanager
def show_progress(*, quiet: bool = False) -> Iterator[Show]:
  """A function that shows `Progress` on the standard error.

  Args:
    quiet: only notices are shown.
  """
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


def describe(progress: Progress, pace: Pace, message: str) -> str:
  """One line of how a part of the run goes.

  Args:
    progress: how far it is.
    pace: how fast.
    message: what is known of its accuracy, if anything.
  """
  part = f"{progress.part + 1}/{progress.parts} " * (progress.parts > 1)
  head = f"{part}{progress.arm} {progress.step}/{progress.steps}"
  facts = [message] if message else []
  if progress.networks > 1:
    facts.append(f"{progress.networks} networks")
  if progress.step == progress.steps:
    facts.append(f"done in {duration(pace.seconds)}")
  elif pace.rate is not None and pace.left is not None:
    facts.append(f"{number(pace.rate)} steps/s")
    facts.append(f"{duration(pace.left)} left")
  return f"{head}: {', '.join(facts)}" if facts else head


class Lines:
  """Plain lines: of each part's end, and else at most one a second.

  The longer it lasts, the rarer they get, so that no log is flooded.

  Args:
    say: prints a line.
    clock: seconds.
  """

  def __init__(
    self,
    say: Callable[[str], None] = _say,
    clock: Callable[[], float] = time.monotonic,
  ):
    self._say = say
    self._clock = clock
    self._meter = Meter(clock)
    self._start = clock()
    self._next = self._start
    self._messages: dict[int, str] = {}

  def __call__(self, progress: Progress) -> None:
    """Shows the progress, or keeps it to itself."""
    now = self._clock()
    stamp = f"[{now - self._start:6.1f} s]"
    if not progress.arm:
      self._say(f"{stamp} {progress.message}")
      return
    pace = self._meter.update(progress)
    message = progress.message or self._messages.get(progress.part, "")
    self._messages[progress.part] = message
    if progress.step < progress.steps and now < self._next:
      return
    self._say(f"{stamp} {describe(progress, pace, message)}")
    self._next = now + min(max(1.0, (now - self._start) / 50), _LONGEST)


class Bars:
  """A bar for each part in training, and one for all; a line for each done.

  Args:
    console: where.
  """

  def __init__(self, console: Console):
    text = lambda name, width: rich_progress.TextColumn(
      f"{{task.{name}}}",
      markup=False,
      table_column=Column(no_wrap=True, overflow="ellipsis", max_width=width),
    )
    self._bars = rich_progress.Progress(
      text("description", 28),
      rich_progress.BarColumn(bar_width=12),
      rich_progress.MofNCompleteColumn(),
      text("fields[message]", None),
      console=console,
    )
    self._meter = Meter()
    self._tasks: dict[int, rich_progress.TaskID] = {}
    self._messages: dict[int, str] = {}
    self._all: rich_progress.TaskID | None = None

  def __enter__(self) -> "Bars":
    """Starts to draw."""
    self._bars.start()
    return self

  def __exit__(self, *error: object) -> None:
    """Stops; what is unfinished stays on the screen."""
    self._bars.stop()

  def show(self, progress: Progress) -> None:
    """Shows the progress."""
    if not progress.arm:
      self._print(progress.message)
      return
    part, pace = progress.part, self._meter.update(progress)
    message = progress.message or self._messages.get(part, "")
    self._messages[part] = message
    if progress.parts > 1 and self._all is None:
      total, ended = progress.parts, progress.part
      self._all = self._bars.add_task(
        "all parts", total=total, completed=ended, message=""
      )
    if progress.step == progress.steps:
      self._print(describe(progress, pace, message))
      if part in self._tasks:
        self._bars.remove_task(self._tasks.pop(part))
      if self._all is not None:
        self._bars.advance(self._all)
      return
    if part not in self._tasks:
      self._tasks[part] = self._bars.add_task(
        plain(progress.arm), total=progress.steps or 1, message=""
      )
    facts = [f"{number(pace.rate)} steps/s"] if pace.rate is not None else []
    facts += [f"{duration(pace.left)} left"] if pace.left is not None else []
    self._bars.update(
      self._tasks[part],
      completed=progress.step,
      message=", ".join([*facts, message] if message else facts),
    )

  def _print(self, line: str) -> None:
    self._bars.console.print(Text(plain(line)), soft_wrap=True)
