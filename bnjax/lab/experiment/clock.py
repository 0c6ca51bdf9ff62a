"""Where the time of a training goes."""

import os
import time
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np

T = TypeVar("T")


def spent(passed: float) -> np.ndarray:
  """Seconds `[3]`: those that passed, then this process's, as `time` has them.

  Args:
    passed: by a clock on the wall.

  Returns:
    `passed`, and of all threads the seconds in user and in system mode.
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
    self._name, self._start = "", np.zeros(3)

  def timed(self, name: str, function: Callable[..., T], *arguments: Any) -> T:
    """Calls a function and charges its duration, if `name` is kept."""
    if name not in self.seconds:
      return function(*arguments)
    with self.charge(name):
      return function(*arguments)

  def charge(self, name: str) -> "Clock":
    """A context whose duration goes to `name`."""
    self._name = name
    return self

  def __enter__(self) -> None:
    self._start = spent(time.perf_counter())

  def __exit__(self, *error: object) -> None:
    passed = spent(time.perf_counter()) - self._start
    self.seconds[self._name] = self.seconds[self._name] + passed

  @property
  def compile(self) -> np.ndarray:
    """`spent` on compilation, that is on the first call of each function."""
    return self.seconds["compile"]

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
