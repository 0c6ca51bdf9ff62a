"""Trains parts in worker processes on this machine."""

import contextlib
import importlib.util
import json
import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import bnjax
from bnjax.lab.launch.launcher import Ended, Launcher
from bnjax.lab.launch.parts import Part, Status, write_status

_GRACE = 8  # seconds that a worker has to save what it has


class Local(Launcher):
  """Worker processes, each training a part after the other."""

  def __init__(self, workdir: Path, *, workers: int, data_dir: str | None):
    """Starts no process yet.

    Args:
      workdir: of the sweep; what workers print is kept in its `logs`.
      workers: how many; 0 for `default_workers`.
      data_dir: where prepared data sets are.
    """
    self._logs = workdir / "logs"
    self._devices = visible_gpus()
    self._count = workers or default_workers(self._devices)
    self._data_dir = data_dir
    self._answers: queue.SimpleQueue[tuple[_Worker, str | None]] = (
      queue.SimpleQueue()
    )
    self._workers: list[_Worker] = []
    self._waiting: list[Part] = []

  def start(self, parts: Sequence[Part], tick: Callable[[], None]) -> None:
    """Takes parts on."""
    del tick  # others train, and `ended` returns soon
    self._waiting = list(parts)
    for place in range(min(self._count, len(parts))):
      self._start(place)

  def ended(self, seconds: float) -> Iterator[Ended]:
    """Waits for that long; yields the parts that ended."""
    with contextlib.suppress(queue.Empty):
      worker, line = self._answers.get(timeout=seconds)
      part = worker.part
      if line is None:
        if part is not None and worker in self._workers:
          yield Ended(part, self._lost(worker, part))
          self._workers.remove(worker)
          if self._waiting:
            self._start(worker.place)
        return
      worker.part = None
      answer = json.loads(line)
      if part is not None:
        yield Ended(part, Status(answer["state"], answer["error"]))
      self._next(worker)

  def running(self) -> list[Part]:
    """The parts that are being trained."""
    return [w.part for w in self._workers if w.part is not None]

  def stop(self) -> None:
    """Ends the workers; the parts that they train can be resumed."""
    for worker in self._workers:
      worker.process.send_signal(signal.SIGTERM)
      worker.finish()
    for worker in self._workers:
      try:
        worker.process.wait(_GRACE)
      except (subprocess.TimeoutExpired, KeyboardInterrupt):
        worker.process.kill()
        worker.process.wait()
    self._workers = []

  def _start(self, place: int) -> None:
    worker = _Worker(place, self._environment(place), self._logs, self._answers)
    self._workers.append(worker)
    self._next(worker)

  def _next(self, worker: "_Worker") -> None:
    if self._waiting:
      worker.give(self._waiting.pop(0))
    else:
      worker.finish()

  def _lost(self, worker: "_Worker", part: Part) -> Status:
    worker.finish()
    code = worker.process.wait()
    how = f"status {code}" if code >= 0 else signal.Signals(-code).name
    hint = " (out of memory?)" if code == -signal.SIGKILL else ""
    status = Status(
      "failed", f"the worker ended with {how}{hint}; see {worker.log}"
    )
    write_status(part.folder, status)
    return status

  def _environment(self, place: int) -> dict[str, str]:
    more = environment(self._data_dir)
    if self._devices:
      more["CUDA_VISIBLE_DEVICES"] = self._devices[place % len(self._devices)]
      each = -(-self._count // len(self._devices))
      if each > 1:  # jax takes three quarters of a GPU's memory otherwise
        fraction = f"{0.9 / each:.2f}"
        more = {"XLA_PYTHON_CLIENT_MEM_FRACTION": fraction} | more
    return more


class _Worker:
  """A process and the part it was given."""

  def __init__(
    self,
    place: int,
    environ: Mapping[str, str],
    logs: Path,
    answers: "queue.SimpleQueue[tuple[_Worker, str | None]]",
  ):
    self.place = place
    self.part: Part | None = None
    logs.mkdir(parents=True, exist_ok=True)
    self.log = logs / f"worker-{place}.txt"
    with self.log.open("ab") as log:
      self.process: subprocess.Popen[str] = subprocess.Popen(
        [sys.executable, "-m", "bnjax.lab.launch.worker"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=log,
        env=dict(environ),
        text=True,
        start_new_session=True,  # Ctrl-C is for us, who tell the workers
      )
    threading.Thread(target=self._listen, args=[answers], daemon=True).start()

  def give(self, part: Part) -> None:
    """Has the process train a part."""
    assert self.process.stdin is not None
    self.part = part
    with contextlib.suppress(BrokenPipeError):  # `_listen` tells of its end
      self.process.stdin.write(f"{part.folder.absolute()}\n")
      self.process.stdin.flush()

  def finish(self) -> None:
    """Lets the process end."""
    assert self.process.stdin is not None
    with contextlib.suppress(BrokenPipeError):
      self.process.stdin.close()

  def _listen(self, answers: Any) -> None:
    assert self.process.stdout is not None
    with self.process.stdout as lines:
      for line in lines:
        answers.put((self, line))
    answers.put((self, None))


def environment(data_dir: str | None) -> dict[str, str]:
  """The environment of a worker: this one's, and where bnjax and data are.

  It finds the modules that this process finds: those beside the config, too.
  """
  root = str(Path(bnjax.__file__).parent.parent)
  here = [str(Path(folder).absolute()) for folder in sys.path]
  given = (os.environ.get("PYTHONPATH") or "").split(os.pathsep)
  path = os.pathsep.join(filter(None, dict.fromkeys([root, *given, *here])))
  more = {"PYTHONPATH": path}
  if data_dir:
    more["BNJAX_SWEEP_DATA_DIR"] = str(Path(data_dir).absolute())
  return {**os.environ, **more}


def default_workers(gpus: Sequence[str]) -> int:
  """One for each GPU; without any, one for each core; one on a TPU host."""
  if gpus:
    return len(gpus)
  tpu = importlib.util.find_spec("libtpu") is not None
  return 1 if tpu else os.cpu_count() or 1


def visible_gpus() -> list[str]:
  """What `CUDA_VISIBLE_DEVICES` lists, or the GPUs that there are.

  Found without jax, which would take hold of them.
  """
  if os.environ.get("JAX_PLATFORMS", "").startswith("cpu"):
    return []
  listed = os.environ.get("CUDA_VISIBLE_DEVICES")
  if listed is not None:
    return [name for name in listed.split(",") if name.strip()]
  try:
    found = subprocess.run(
      ["nvidia-smi", "--list-gpus"], capture_output=True, text=True, timeout=30
    )
  except (OSError, subprocess.TimeoutExpired):
    return []
  lines = [line for line in found.stdout.splitlines() if line.startswith("GPU")]
  return [str(i) for i in range(len(lines))] if not found.returncode else []
