"""How fast a run goes, and how long it will still take."""

import time
from collections.abc import Callable
from typing import NamedTuple

from bnjax.lab.experiment.progress import Progress


class Pace(NamedTuple):
  """How a part of a run goes.

  Attributes:
    rate: training steps per second of its program; None: not known yet.
    left: seconds until its end, at this rate; None: not known yet.
    seconds: since it began.
  """

  rate: float | None
  left: float | None
  seconds: float


class Meter:
  """Measures the rate of each part, the time of its compilation left out.

  Args:
    clock: seconds.
  """

  def __init__(self, clock: Callable[[], float] = time.monotonic):
    self._clock = clock
    self._begun: dict[int, float] = {}
    self._trained: dict[int, list[tuple[float, int]]] = {}

  def update(self, progress: Progress) -> Pace:
    """Takes in how far a part is."""
    now, part, step = self._clock(), progress.part, progress.step
    begun = self._begun.setdefault(part, now)
    seen = self._trained.setdefault(part, [])
    if step:  # the first steps were compiled for before
      seen[1:] = [] if not seen else [(now, step)]
      if not seen:
        seen.append((now, step))
    rate = left = None
    if len(seen) == 2 and seen[1][0] > seen[0][0] and seen[1][1] > seen[0][1]:
      (start, first), (end, last) = seen
      rate = (last - first) / (end - start)
      left = (progress.steps - step) / rate
    return Pace(rate, left, now - begun)


def duration(seconds: float) -> str:
  """A duration as people say it.

  >>> duration(7.4), duration(61), duration(7384)
  ('7 s', '1 min 01 s', '2 h 03 min')
  """
  whole = round(seconds)
  if whole < 60:
    return f"{whole} s"
  minutes, rest = divmod(whole, 60)
  if minutes < 60:
    return f"{minutes} min {rest:02d} s"
  return f"{minutes // 60} h {minutes % 60:02d} min"


def number(rate: float) -> str:
  """A rate to three digits.

  >>> number(0.1234), number(12.34), number(12345.6)
  ('0.123', '12.3', '12,346')
  """
  return f"{rate:,.0f}" if rate >= 100 else f"{rate:.3g}"
