"""Where the time of a training goes."""

import time
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")


class Clock:
  """What a network took: its share of `seconds`, its program's by name."""

  def __init__(self, networks: int, begun: float, *, streamed: bool = False):
    self._networks = networks
    self._begun = begun
    self.seconds = {"compile": 0.0, "train": 0.0, "evaluate": 0.0}
    if streamed:
      self.seconds["input"] = 0.0
    self._name, self._start = "", 0.0

  def timed(self, name: str, function: Callable[..., T], *arguments: Any) -> T:
    """Calls a function and charges its duration, if `name` is kept."""
    start = time.perf_counter()
    result = function(*arguments)
    if name in self.seconds:
      self.seconds[name] += time.perf_counter() - start
    return result

  def charge(self, name: str) -> "Clock":
    """A context whose duration goes to `name`."""
    self._name = name
    return self

  def __enter__(self) -> None:
    self._start = time.perf_counter()

  def __exit__(self, *error: object) -> None:
    self.seconds[self._name] += time.perf_counter() - self._start

  @property
  def compile(self) -> float:
    """Seconds of compilation, those of the first call of each function."""
    return self.seconds["compile"]

  def shares(self, step: int, compilation: float) -> dict[str, float]:
    """Fields of a row after some steps of training.

    `step_seconds` is the mean time of one network's step, `process_seconds`
    what a process would take that trained this program's networks alone.

    Args:
      step: how many steps.
      compilation: seconds of the program's, whichever part it was done for.
    """
    shares = {
      f"{name}_seconds": seconds / self._networks
      for name, seconds in self.seconds.items()
    }
    own = sum(self.seconds.values()) - self.seconds["compile"]
    total = self._begun + compilation + own
    each = {"step_seconds": shares["train_seconds"] / step} if step else {}
    return shares | each | {"process_seconds": total}
