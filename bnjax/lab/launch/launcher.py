"""What trains the parts of a sweep, and the simplest: this process."""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from bnjax.lab import signals
from bnjax.lab.launch.parts import Part, Status
from bnjax.lab.launch.worker import train


class Ended(NamedTuple):
  """A part whose training ended, and how."""

  part: Part
  status: Status


class Launcher:
  """What trains parts: `Here`, `local.Local`, `slurm.Slurm`."""

  def start(self, parts: Sequence[Part], tick: Callable[[], None]) -> None:
    """Takes parts on; may call `tick` where `ended` takes long."""
    raise NotImplementedError

  def ended(self, seconds: float) -> Iterator[Ended]:
    """Waits for about that long; yields the parts that ended."""
    raise NotImplementedError

  def running(self) -> list[Part]:
    """The parts that are being trained, or queued."""
    raise NotImplementedError

  def stop(self) -> None:
    """Ends what should not outlive the sweep."""

  def hint(self) -> str:
    """What is added to "the same command goes on" after Ctrl-C."""
    return ""


class Here(Launcher):
  """Trains in this process: starts fastest, but a crash ends the sweep."""

  def __init__(self, data_dir: str | None = None):
    self._data_dir = data_dir
    self._left: list[Part] = []
    self._tick: Callable[[], None] = lambda: None

  def start(self, parts: Sequence[Part], tick: Callable[[], None]) -> None:
    """Calls `tick` while parts are trained."""
    self._left, self._tick = list(parts), tick

  def ended(self, seconds: float) -> Iterator[Ended]:
    """Trains the next part; `signals.Preempted` where that is to stop."""
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
