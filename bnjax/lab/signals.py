"""Ctrl-C and SIGTERM: how what is asked to stop stops, and goes on later.

Python answers a signal between two instructions of its main thread: after a
compilation, if there is one; and the `KeyboardInterrupt` that it raises is lost
where a callback of another library takes it. A program that calls `take`
answers from a thread of its own instead, at once, and nothing is raised.
"""

import contextlib
import os
import select
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType
from typing import NoReturn

STOPPED = 75  # EX_TEMPFAIL of sysexits.h: try again, the same command goes on
_STATUS = {signal.SIGINT: 130, signal.SIGTERM: STOPPED}
_SAID = {signal.SIGINT: "interrupted", signal.SIGTERM: "stopped as asked"}
_GRACE = 5.0  # seconds after Ctrl-C in which a run can stop in order
_SHOW_CURSOR = "\x1b[?25h"  # which bars hide


class Preempted(Exception):
  """A run stopped because it was asked to; it can go on."""


class _Process:
  """What this process was asked; there is one of it."""

  taken = False  # whether signals are answered by a thread
  interrupted = False  # whether that is stopping after Ctrl-C
  # set when a run that watches is to stop; None: none watches
  asked: threading.Event | None = None
  grace = _GRACE  # seconds that it has after Ctrl-C
  how: Callable[[], str] = staticmethod(lambda: "")  # tells how to go on


_process = _Process()


def take() -> None:
  """Has Ctrl-C and SIGTERM end this program with a line, from here on.

  They end it at once, with status 130 and 75; where a run watches they ask it
  to stop, and a second Ctrl-C, or five seconds after the first, ends it.
  """
  if not _process.taken:
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    threading.Thread(target=_listen, args=[reader], daemon=True).start()
    _process.taken = True
  for number in _STATUS:
    signal.signal(number, _leave_it_to_the_thread)


def advise(how: str | Callable[[], str]) -> None:
  """Sets the hint of how to go on, printed when the process is ended."""
  _process.how = how if callable(how) else lambda: how
  if _process.interrupted:
    _leave(signal.SIGINT)


def status() -> int:
  """The exit status of who stopped in order."""
  return _STATUS[signal.SIGINT if _process.interrupted else signal.SIGTERM]


@contextlib.contextmanager
def watch(grace: float = _GRACE) -> Iterator[Callable[[], bool]]:
  """Whether this process was asked to stop is what the value tells.

  In a program that has not called `take`, SIGTERM alone asks, and, since
  Python has no signals outside of the main thread, only there.

  Args:
    grace: seconds after Ctrl-C until the program is ended all the same.
  """
  if _process.asked is not None:  # in a sweep: what asks it asks its parts
    yield _process.asked.is_set
    return
  asked = threading.Event()
  with contextlib.ExitStack() as stack:
    if not _process.taken:
      if threading.current_thread() is not threading.main_thread():
        yield asked.is_set
        return
      before = signal.signal(signal.SIGTERM, lambda *_: asked.set())
      stack.callback(signal.signal, signal.SIGTERM, before)
    _process.asked, _process.grace = asked, grace
    stack.callback(setattr, _process, "asked", None)
    yield asked.is_set


def _leave_it_to_the_thread(number: int, frame: FrameType | None) -> None:
  """Python's own answer to a signal: none."""


def _listen(reader: int) -> None:
  while numbers := os.read(reader, 64):
    for number in numbers:
      if number in _STATUS:
        _ask(signal.Signals(number))


def _ask(number: signal.Signals) -> None:
  again = number == signal.SIGINT and _process.interrupted
  if _process.asked is None or again:
    _leave(number)
  _process.asked.set()
  if number == signal.SIGINT:
    _process.interrupted = True
    timer = threading.Timer(_process.grace, _leave, [number])
    timer.daemon = True
    timer.start()


def _leave(number: signal.Signals) -> NoReturn:
  end("; ".join(filter(None, [_SAID[number], _process.how()])), _STATUS[number])


def end(line: str, status: int) -> NoReturn:
  """Ends this process with a line, whatever the main thread is at."""
  text = f"{_SHOW_CURSOR}\n{line}\n" if os.isatty(2) else f"{line}\n"
  with contextlib.suppress(OSError):
    if select.select([], [2], [], 1)[1]:  # nobody may be reading
      os.write(2, text.encode())
  os._exit(status)
