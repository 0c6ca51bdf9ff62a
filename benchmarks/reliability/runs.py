"""The small run in processes of its own, and whether its result is right."""

import json
import multiprocessing
import os
import runpy
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from benchmarks.reliability.outcome import Outcome, refused
from bnjax.lab.experiment import checkpoints

ROOT = Path(__file__).parents[2]
_PATIENCE = 120.0  # seconds until a process counts as hanging
# What a run is at, and the file that says that it has come to that.
STAGES = {
  "set-up": "",
  "compilation": "config.json",
  "training": "metrics.jsonl",
  "report": "summary.json",
}
_RECORDS = ("metrics.jsonl", "probes.jsonl", "predictions.jsonl")
# A server that has imported what a script needs: its children begin at once.
_SPAWN = multiprocessing.get_context("forkserver")
_SPAWN.set_forkserver_preload(
  ["bnjax.lab.experiment.engine", "bnjax.lab.cli", "sklearn.datasets"]
)


def _play(
  script: str,
  arguments: list[str],
  log: Path,
  cache: Path,
  first: Callable[[], Any] | None,
) -> None:
  """Runs a script as `python SCRIPT ARGUMENTS` would, its output in a file."""
  import jax

  descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
  os.dup2(descriptor, 2)
  os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
  os.chdir(ROOT)
  os.environ |= environment(cache)
  for name, value in _jax(cache).items():
    jax.config.update(name, value)  # it was imported before
  sys.argv = [script, *arguments]
  sys.path.insert(0, str(ROOT / "scripts"))
  if first:
    first()
  runpy.run_path(str(ROOT / "scripts" / script), run_name="__main__")


def environment(cache: Path) -> dict[str, str]:
  """What is set in the environment of every run."""
  found = {name.upper(): str(value) for name, value in _jax(cache).items()}
  return found | {"PYTHONPATH": str(ROOT)}


def _jax(cache: Path) -> dict[str, Any]:
  return {
    "jax_platforms": "cpu",
    "jax_compilation_cache_dir": str(cache),
    "jax_persistent_cache_min_compile_time_secs": 0.0,
  }


class Ended(NamedTuple):
  """How a process ended.

  Attributes:
    status: its exit status, minus the signal that ended it; None: it hung.
    said: what it wrote to its standard error.
    seconds: from the last signal on.
  """

  status: int | None
  said: str
  seconds: float


class Child:
  """A process that runs a script.

  Args:
    script: of `scripts`.
    arguments: of it.
    log: gets what it says.
    cache: of compiled programs.
    first: called in it, before anything else.
  """

  def __init__(
    self,
    script: str,
    arguments: list[str],
    log: Path,
    cache: Path,
    first: Callable[[], Any] | None = None,
  ):
    self._log = log
    given = (script, arguments, log, cache, first)
    self._process = _SPAWN.Process(target=_play, args=given)
    self._process.start()

  def wait_for(self, there: Callable[[], Any], most: float = _PATIENCE) -> bool:
    """Waits until something is there; False where it ended before."""
    end = time.monotonic() + most
    while not there() and time.monotonic() < end:
      if not self.lives():
        return False
      time.sleep(0.002)
    return self.lives()

  def lives(self) -> bool:
    """Whether it has not ended."""
    return self._process.exitcode is None

  def signal(self, number: int) -> None:
    """Sends a signal, if it lives."""
    if self.lives():
      assert self._process.pid is not None
      os.kill(self._process.pid, number)

  def end(self) -> Ended:
    """Waits for its end, and kills it where it does not come."""
    start = time.monotonic()
    self._process.join(_PATIENCE)
    seconds, status = time.monotonic() - start, self._process.exitcode
    if status is None:
      self._process.kill()
      self._process.join()
    return Ended(status, self.said(), seconds)

  def said(self) -> str:
    """What it has written to its standard error."""
    return self._log.read_text(errors="replace") if self._log.exists() else ""


class Runs:
  """Where runs are made and compared with one that nothing happened to.

  Args:
    folder: an empty one, for all that they write.
  """

  def __init__(self, folder: Path):
    self._folder = folder
    self._made = 0
    self.cache = folder / "cache"
    self.reference = self.place()
    self.stages = self._make_reference()

  def _make_reference(self) -> dict[str, float]:
    """Makes the run that nothing is done to; seconds that its stages take."""
    child, times = self.train(self.reference), [time.monotonic()]
    for begins in filter(None, STAGES.values()):
      child.wait_for((self.reference / begins).exists)
      times.append(time.monotonic())
    ended = child.end()
    if ended.status:
      raise RuntimeError(f"the run that nothing was done to: {ended.said}")
    times.append(time.monotonic())
    return dict(zip(STAGES, np.diff(times).tolist(), strict=True))

  def place(self, copied: Path | None = None) -> Path:
    """The path of a work directory that is not there yet, or a copy."""
    self._made += 1
    path = self._folder / f"run{self._made}"
    return path if copied is None else shutil.copytree(copied, path)

  def train(
    self, workdir: Path, first: Callable[[], Any] | None = None, *more: str
  ) -> Child:
    """Starts the run, or goes on with it."""
    self._made += 1
    log = self._folder / f"log{self._made}"
    return Child(
      "train.py", self.command(workdir, *more), log, self.cache, first
    )

  def command(self, workdir: Path, *more: str) -> list[str]:
    """The arguments of scripts/train.py."""
    config = f"--config={Path(__file__).with_name('small.py')}"
    shown = ["--quiet", "--writers=", "--checkpoint_seconds=0.05"]
    return [config, f"--workdir={workdir}", *shown, *more]

  def finish(self, workdir: Path) -> Outcome:
    """Goes on with a run to its end; what came of it."""
    return self.judge(self.train(workdir).end(), workdir)

  def judge(self, ended: Ended, workdir: Path) -> Outcome:
    """What came of a run, of how its last process ended."""
    if ended.status is None:
      return Outcome("wrong", f"{workdir} hangs: {ended.said}")
    if ended.status:
      return refused(ended.said)
    for difference in differences(workdir, self.reference):
      return Outcome("wrong", f"{workdir}: {difference}")
    return Outcome("survived", ended.said)


def differences(workdir: Path, reference: Path) -> Iterator[str]:
  """In what a finished run differs from another one, but in seconds."""
  for name in _RECORDS:
    if _without_seconds(workdir / name) != _without_seconds(reference / name):
      yield f"{name} differs"
  ours, theirs = (_networks(path) for path in (workdir, reference))
  if ours.keys() != theirs.keys():
    yield "other networks are kept"
  for name in ours.keys() & theirs.keys():
    if not _same(ours[name], theirs[name]):
      yield f"the networks of {name} differ"
  for name in ("summary.json", "SHA256SUMS", "report/index.html"):
    if not (workdir / name).is_file():
      yield f"there is no {name}"
  if (workdir / "checkpoints").exists():
    left = os.listdir(workdir / "checkpoints")
    if not all(name.endswith(".damaged") for name in left):
      yield f"checkpoints are left: {left}"


def _without_seconds(path: Path) -> list[dict[str, Any]]:
  rows = [json.loads(line) for line in path.read_text().splitlines()]
  return [
    {k: v for k, v in row.items() if not k.endswith("_seconds")} for row in rows
  ]


def _networks(workdir: Path) -> dict[str, Any]:
  paths = (workdir / "params").glob("*.npz")
  return {path.name: checkpoints.load(path).state for path in paths}


def _same(ours: Any, theirs: Any) -> bool:
  if isinstance(theirs, dict):
    return ours.keys() == theirs.keys() and all(
      _same(ours[key], value) for key, value in theirs.items()
    )
  return ours.dtype == theirs.dtype and np.array_equal(ours, theirs)
