"""Where the time of a training goes."""

import contextlib
import os
import time
from collections.abc import Iterator

import numpy as np


def spent(passed: float) -> np.ndarray:
  """Seconds `[3]`: those that passed, and this process's, as `time` has them.

  The latter are of all threads, in user and in system mode.
  """
  process = os.times()
  return np.array([passed, process.user, process.system])


class Clock:
  """What a network took: its share of `seconds`, its program's by name."""

  def __init__(
    self, networks: int, begun: np.ndarray, *, streamed: bool = False
  ):
    self._networks = networks
    self._begun = begun
    names = ["compile", "train", "evaluate", *["input"] * streamed]
    self.seconds = {name: np.zeros(3) for name in names}

  @contextlib.contextmanager
  def charge(self, name: str) -> Iterator[None]:
    """A context in which what is `spent` goes to `name`, if that is kept."""
    start = spent(time.perf_counter())
    yield
    if name in self.seconds:
      passed = spent(time.perf_counter()) - start
      self.seconds[name] = self.seconds[name] + passed

  def shares(self, step: int, compilation: np.ndarray) -> dict[str, float]:
    """Fields of a row after some steps of training.

    `step_seconds` is the mean time of one network's step, `process_seconds`
    what a process would take that trained this program's networks alone, and
    `process_user_seconds` and `process_system_seconds` of how many processors.

    Args:
      step: how many steps.
      compilation: the program's, whichever part it was done for; as `spent`.
    """
    shares = {
      f"{name}_seconds": float(seconds[0]) / self._networks
      for name, seconds in self.seconds.items()
    }
    own = sum(self.seconds.values()) - self.seconds["compile"]
    total, user, system = (self._begun + compilation + own).tolist()
    each = {"step_seconds": shares["train_seconds"] / step} if step else {}
    whole = {
      "process_seconds": total,
      "process_user_seconds": user,
      "process_system_seconds": system,
    }
    return shares | each | whole
