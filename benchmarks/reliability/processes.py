"""Attacks on a run's process: killed, asked to stop, without room or locks."""

import errno
import fcntl
import functools
import os
import random
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.reliability.harms import HARMS
from benchmarks.reliability.outcome import Outcome, refused
from benchmarks.reliability.runs import (
  ROOT,
  STAGES,
  Child,
  Ended,
  Runs,
  environment,
)

_SOON = 10.0  # seconds within which Ctrl-C is answered
_STATUS = {signal.SIGINT: 130, signal.SIGTERM: 75}


def kill(runs: Runs, stage: str, draw: random.Random) -> Outcome:
  """Kills a run at a random moment of a stage, and goes on with it."""
  workdir = runs.place()
  child = _begin(runs, workdir, stage)
  _pause(runs, stage, draw)
  child.signal(signal.SIGKILL)
  child.end()
  return _goes_on(runs, workdir)


def kill_while_saving(runs: Runs, draw: random.Random) -> Outcome:
  """Kills a run while it writes a checkpoint, some after the first."""
  workdir, number = runs.place(), draw.randint(1, 8)
  child = runs.train(workdir)
  place = workdir / "checkpoints"
  child.wait_for(lambda: any(place.glob(f".{number}*.tmp")))
  child.signal(signal.SIGKILL)
  child.end()
  return _goes_on(runs, workdir)


def ask(
  runs: Runs, number: signal.Signals, stage: str, draw: random.Random
) -> Outcome:
  """Sends a signal at a random moment of a stage, and goes on with the run."""
  workdir = runs.place()
  child = _begin(runs, workdir, stage)
  _pause(runs, stage, draw)
  child.signal(number)
  return _answered(child.end(), number) or _goes_on(runs, workdir)


def ordeal(runs: Runs) -> Outcome:
  """Kills a run while it trains, asks it to stop in both ways, and again."""
  workdir = runs.place()
  for number in (signal.SIGKILL, *_STATUS):
    before = _newest(workdir)
    child = runs.train(workdir)
    child.wait_for(functools.partial(_saved, workdir, before))
    child.signal(number)
    ended = child.end()
    wrong = _answered(ended, number) if number in _STATUS else None
    if wrong or not ended.status:
      return wrong or Outcome("wrong", f"{number.name}: it ended before")
  child = runs.train(workdir)
  child.wait_for((workdir / STAGES["report"]).exists)
  child.signal(signal.SIGINT)
  return _answered(child.end(), signal.SIGINT) or _goes_on(runs, workdir)


def at_import(
  runs: Runs, number: signal.Signals, draw: random.Random
) -> Outcome:
  """Sends a signal while Python imports what the script needs."""
  workdir = runs.place()
  script = str(ROOT / "scripts" / "train.py")
  command = [sys.executable, script, *runs.command(workdir)]
  child = subprocess.Popen(
    command, cwd=ROOT, stderr=subprocess.PIPE, text=True,
    env=os.environ | environment(runs.cache),
  )  # fmt: skip
  time.sleep(draw.uniform(0.3, 3))
  start = time.monotonic()
  child.send_signal(number)
  said = child.communicate()[1]
  ended = Ended(child.returncode, said, time.monotonic() - start)
  if number == signal.SIGKILL:
    return _goes_on(runs, workdir)
  return _answered(ended, number) or _goes_on(runs, workdir)


def fill_disk(runs: Runs, draw: random.Random) -> Outcome:
  """Runs where no file can be larger than some size, then without a limit."""
  workdir = runs.place()
  sizes = [p.stat().st_size for p in runs.reference.rglob("*") if p.is_file()]
  size = int(max(sizes) ** draw.uniform(0.2, 1))
  ended = runs.train(workdir, functools.partial(_limit, size)).end()
  if ended.status != 0:
    told = refused(ended.said)
    if told.verdict == "wrong":
      return told
  return _goes_on(runs, workdir)


def full_output(runs: Runs) -> Outcome:
  """Reports to a standard output that is full."""
  workdir = runs.place(runs.reference)
  return runs.judge(
    runs.train(workdir, _full_output, "--dry_run").end(), workdir
  )


def without_locks(runs: Runs, number: int) -> Outcome:
  """Runs where the file system has no locks, as the system says it."""
  workdir = runs.place()
  ended = runs.train(workdir, functools.partial(_no_locks, number)).end()
  if "is on a file system without locks" not in ended.said:
    return Outcome("wrong", f"no notice: {ended.said}")
  return runs.judge(ended, workdir)


def damage(runs: Runs, tries: int, draw: random.Random) -> Iterator[Outcome]:
  """Damages files of a run that was killed while it trained, and goes on."""
  for _ in range(tries):
    workdir = runs.place()
    child = _begin(runs, workdir, "training")
    child.wait_for(functools.partial(_saved, workdir, 2))
    child.signal(signal.SIGKILL)
    child.end()
    for name in draw.sample(sorted(HARMS), 2):
      harmed = runs.place(workdir)
      files = [p for p in harmed.rglob("*") if p.is_file()]
      HARMS[name](draw.choice(files))
      yield runs.finish(harmed)


def _begin(runs: Runs, workdir: Path, stage: str) -> Child:
  """A run that has come to a stage."""
  compiles = stage == "compilation"
  child = runs.train(workdir, _without_cache if compiles else None)
  if STAGES[stage]:
    child.wait_for((workdir / STAGES[stage]).exists)
  return child


def _newest(workdir: Path) -> int:
  """The number of the newest checkpoint; 0 where there is none."""
  there = workdir.glob("checkpoints/*.npz")
  return max((int(path.stem) for path in there), default=0)


def _saved(workdir: Path, before: int) -> bool:
  """Whether there is a newer checkpoint than the one of that number."""
  return _newest(workdir) > before


def _pause(runs: Runs, stage: str, draw: random.Random) -> None:
  time.sleep(draw.uniform(0, runs.stages[stage]))


def _answered(ended: Ended, number: signal.Signals) -> Outcome | None:
  """What is wrong with how a signal was answered, if anything."""
  if ended.status == 0:  # it was done before
    return None
  told = refused(ended.said)
  if told.verdict == "wrong":
    return told
  how = "the same command", "give the same", "draws the report"
  if ended.status != _STATUS[number] or not any(h in told.said for h in how):
    return Outcome("wrong", f"status {ended.status}: {ended.said}")
  if number == signal.SIGINT and ended.seconds > _SOON:
    return Outcome("wrong", f"it took {ended.seconds:.0f} s: {ended.said}")
  return None


def _goes_on(runs: Runs, workdir: Path) -> Outcome:
  """Goes on with a run, which must not be refused, nor trained twice."""
  records = workdir / "metrics.jsonl"
  done = (workdir / "summary.json").exists() and records.stat().st_mtime_ns
  drawn = (workdir / "report" / "index.html").exists()
  found = runs.finish(workdir)
  if found.verdict == "refused":
    return Outcome("wrong", found.said)
  if done and not drawn and records.stat().st_mtime_ns != done:
    return Outcome("wrong", f"{workdir}: it was trained again")
  return found


def _without_cache() -> None:
  import jax

  jax.config.update("jax_enable_compilation_cache", False)


def _limit(size: int) -> None:
  resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


def _full_output() -> None:
  os.dup2(os.open("/dev/full", os.O_WRONLY), 1)


def _no_locks(number: int) -> None:
  def flock(*args: Any) -> None:
    raise OSError(number, os.strerror(number))

  fcntl.flock = flock


NO_LOCKS = (errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP)
