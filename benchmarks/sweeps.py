"""A sweep's networks in one program against one process for each."""

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
from bnjax.lab.launch import make_networks, planned, read_points
from bnjax.lab.launch.local import environment
from bnjax.lab.launch.parts import make_parts, read_status, write_parts

CONFIG = "configs/sweeps/learning_rates.py"
ARGUMENT = "mnist5k"
_AT_ONCE = 2  # processes


def rows(sample: int) -> list[dict[str, Any]]:
  """Seconds of the whole sweep, by both ways.

  Every process is charged with all that it does: imports, data, compilation.

  Args:
    sample: how many networks are really trained in a process each; the time of
      all follows from theirs, which do the same work whatever their values are.
  """
  config = load_config(CONFIG, ARGUMENT)
  plan = planned(config, read_points(config, file=CONFIG))
  networks, _ = make_networks(plan)
  count = len(networks)
  together = _vectorized(count)
  every = networks[:: max(1, count // sample)][:sample]
  alone = _alone(plan, every, cached=False) * count / len(every)
  cached = _alone(plan, every, cached=True) * count / len(every)
  how = f"{_AT_ONCE} at a time, from {len(every)} networks"
  return [
    _row(f"one program, {count} networks", together, count, together),
    _row(f"a process a network, {how}", alone, count, together),
    _row(f"the same, compiled before, {how}", cached, count, together),
  ]


def _row(name: str, seconds: float, count: int, together: float) -> Any:
  return {
    "how": name,
    "seconds": seconds,
    "networks a second": count / seconds,
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
    found = results.frame(f"{folder}/sweep")
  last = found[found.step == found.step.max()]
  if len(last) != count:
    raise UserError(f"scripts/sweep.py: {len(last)} of {count} networks")
  return seconds


def _alone(config: Any, networks: Sequence[Any], *, cached: bool) -> float:
  """Seconds of a process for each network, so many at a time."""
  with tempfile.TemporaryDirectory() as folder:
    environ = _environment(f"{folder}/xla" if cached else None)
    parts = make_parts(networks, Path(folder), at_most=1)
    write_parts(parts, config)
    waiting = list(parts)
    if cached:  # one process fills the cache, and is not timed
      _start(waiting[0].folder, environ).wait()
      (waiting[0].folder / "status.json").unlink()
    running: list[subprocess.Popen[bytes]] = []
    start = time.perf_counter()
    while waiting or running:
      running = [process for process in running if process.poll() is None]
      while waiting and len(running) < _AT_ONCE:
        running.append(_start(waiting.pop().folder, environ))
      time.sleep(0.01)
    seconds = time.perf_counter() - start
    states = [read_status(part.folder) for part in parts]
  if any(state is None or state.state != "done" for state in states):
    raise UserError(f"a process a network: {states}")
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
