"""A run that is asked to stop: by Slurm, a cloud's notice, or `kill`."""

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType

STATUS = 75  # EX_TEMPFAIL of sysexits.h: try again, the same command goes on


class Preempted(Exception):
  """A run stopped because it was asked to; it can go on."""


@contextlib.contextmanager
def watch() -> Iterator[Callable[[], bool]]:
  """Takes SIGTERM as a request; whether there was one is what the value tells.

  Outside of the main thread, where Python has no signals, there is never one.
  """
  if threading.current_thread() is not threading.main_thread():
    yield lambda: False
    return
  asked = threading.Event()

  def ask(number: int, frame: FrameType | None) -> None:
    del number, frame
    asked.set()

  before = signal.signal(signal.SIGTERM, ask)
  try:
    yield asked.is_set
  finally:
    signal.signal(signal.SIGTERM, before)
