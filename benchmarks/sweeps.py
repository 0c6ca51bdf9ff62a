"""A sweep's trials in one program against one process for each."""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.training import load_config
from bnjax.lab import results
from bnjax.lab.errors import UserError
from bnjax.lab.launch import make_trials, read_points
from bnjax.lab.launch.local import environment
from bnjax.lab.launch.units import make_units, read_status, write_unit

CONFIG = "configs/sweeps/learning_rates.py"
ARGUMENT = "mnist5k"
AT_ONCE = 2  # processes


def rows(sample: int) -> list[dict[str, Any]]:
  """Seconds of the whole sweep, by both ways.

  Every process is charged with all that it does: imports, data, compilation.

  Args:
    sample: how many trials are really run in a process each; the time of all
      follows from theirs, which do the same work whatever their values are.
  """
  config = load_config(CONFIG, ARGUMENT)
  points = read_points(config, file=CONFIG)
  trials = make_trials(config, points)
  count = len(trials)
  together = _vectorized(count)
  every = trials[:: max(1, count // sample)][:sample]
  alone = _alone(config, every, cached=False) * count / len(every)
  cached = _alone(config, every, cached=True) * count / len(every)
  how = f"{AT_ONCE} at a time, from {len(every)} trials"
  return [
    _row(f"one program, {count} trials", together, count, together),
    _row(f"a process a trial, {how}", alone, count, together),
    _row(f"the same, compiled before, {how}", cached, count, together),
  ]


def _row(name: str, seconds: float, count: int, together: float) -> Any:
  return {
    "how": name,
    "seconds": seconds,
    "trials a second": count / seconds,
    "over one program": seconds / together,
  }


def _vectorized(count: int) -> float:
  """Seconds of `scripts/sweep.py`, from its start to its last line."""
  with tempfile.TemporaryDirectory() as folder:
    command = [
      sys.executable,
      "scripts/sweep.py",
      f"--config={CONFIG}:{ARGUMENT}",
    ]
    start = time.perf_counter()
    done = subprocess.run(
      [*command, f"--workdir={folder}/sweep"],
      env=_environment(None),
      capture_output=True,
      text=True,
    )
    seconds = time.perf_counter() - start
    if done.returncode:
      raise UserError(f"scripts/sweep.py: {done.stderr.strip()}")
    found = results.read_rows(f"{folder}/sweep/trials.jsonl").rows
  if len(found) != count:
    raise UserError(f"scripts/sweep.py: {len(found)} of {count} trials")
  return seconds


def _alone(config: Any, trials: Sequence[Any], *, cached: bool) -> float:
  """Seconds of a process for each trial, so many at a time."""
  with tempfile.TemporaryDirectory() as folder:
    environ = _environment(f"{folder}/xla" if cached else None)
    units = make_units(trials, Path(folder), at_most=1)
    for unit in units:
      write_unit(unit, config)
    waiting = list(units)
    if cached:  # one process fills the cache, and is not timed
      _start(waiting[0].folder, environ).wait()
      (waiting[0].folder / "status.json").unlink()
    running: list[subprocess.Popen[bytes]] = []
    start = time.perf_counter()
    while waiting or running:
      running = [process for process in running if process.poll() is None]
      while waiting and len(running) < AT_ONCE:
        running.append(_start(waiting.pop().folder, environ))
      time.sleep(0.01)
    seconds = time.perf_counter() - start
    states = [read_status(unit.folder) for unit in units]
  if any(state is None or state.state != "done" for state in states):
    raise UserError(f"a process a trial: {states}")
  return seconds


def _start(folder: Path, environ: dict[str, str]) -> subprocess.Popen[bytes]:
  return subprocess.Popen(
    [sys.executable, "-m", "bnjax.lab.launch.worker", str(folder)],
    env=environ,
    stderr=subprocess.DEVNULL,
  )


def _environment(cache: str | None) -> dict[str, str]:
  return {
    **environment(os.environ.get("TFDS_DATA_DIR")),
    "JAX_COMPILATION_CACHE_DIR": cache or "",
    "JAX_PLATFORMS": "cpu",
  }
