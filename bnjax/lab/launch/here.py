"""Trains parts in this process, one after the other."""

from collections.abc import Callable, Iterator, Sequence

from bnjax.lab import signals
from bnjax.lab.launch.local import Ended
from bnjax.lab.launch.parts import Part
from bnjax.lab.launch.worker import train


class Here:
  """Trains in this process: starts fastest, but a crash ends the sweep."""

  def __init__(self, data_dir: str | None = None):
    self._data_dir = data_dir
    self._left: list[Part] = []
    self._tick: Callable[[], None] = lambda: None

  def start(self, parts: Sequence[Part], tick: Callable[[], None]) -> None:
    """Takes parts on; `tick` is called while they are trained."""
    self._left, self._tick = list(parts), tick

  def ended(self, seconds: float) -> Iterator[Ended]:
    """Trains the next part."""
    del seconds
    status = train(self._left[0].folder, self._data_dir, self._tick)
    if status.state == "stopped":
      raise signals.Preempted(status.error)
    yield Ended(self._left.pop(0), status)

  def running(self) -> list[Part]:
    """The part that is being trained."""
    return self._left[:1]

  def stop(self) -> None:
    """Leaves the rest."""
    self._left = []

  def hint(self) -> str:
    """Nothing to add after Ctrl-C."""
    return ""
