"""The same training on one device, on several, and by several processes."""

import json
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bnjax.lab.errors import UserError

# An MLP with dropout, and a CNN on minibatches that 4 does not divide.
_CONFIG = """
from bnjax.lab.config import base


def get_config():
  config = base(optimizer="sgd")
  config.dataset.update(name="mnist5k", transform="rgb32", examples=500)
  config.model.update(width=100, depth=3)
  config.optimizer.learning_rate = 0.01
  config.update(batch_size=30, steps=200, eval_every=20, seeds=1)
  config.arms = {
    "mlp": {"model": {"dropout_rate": 0.3}, "batch_size": 32},
    "mlp_float64": {
      "model": {"dropout_rate": 0.3},
      "batch_size": 32,
      "precision": "float64",
    },
    "cnn": {"model": {"name": "lenet"}},
    "cnn_float64": {"model": {"name": "lenet"}, "precision": "float64"},
  }
  return config
"""
_ROOT = Path(__file__).parent.parent
WAYS = {
  "1 process of 1 device": (1, 1),
  "1 process of 4 devices": (1, 4),
  "2 processes of 2 devices": (2, 2),
}


def curves() -> list[dict[str, Any]]:
  """Training losses by step and the way they came about."""
  with tempfile.TemporaryDirectory() as folder:
    config = Path(folder) / "config.py"
    config.write_text(_CONFIG)
    found = {
      way: _train(config, Path(folder) / str(i), *how)
      for i, (way, how) in enumerate(WAYS.items())
    }
  first, *others = found.values()
  rows = []
  for (arm, step), loss in first.items():
    row: dict[str, Any] = {"network": arm, "step": step}
    row |= {way: f"{found[way][arm, step]:.12g}" for way in found}
    apart = max(abs(other[arm, step] / loss - 1) for other in others)
    rows.append(row | {"apart": f"{apart:.0e}"})
  return rows


def _train(
  config: Path, workdir: Path, processes: int, devices: int
) -> dict[tuple[str, int], float]:
  """Training losses of a run by arm and step."""
  arguments = [
    sys.executable,
    str(_ROOT / "scripts" / "train.py"),
    f"--config={config}",
    f"--workdir={workdir}",
    "--writers=",
  ]
  if processes == 1:
    runs = [arguments + [f"--mesh=data={devices}"] * (devices > 1)]
  else:
    with socket.socket() as free:
      free.bind(("127.0.0.1", 0))
      port = free.getsockname()[1]
    joined = [
      f"--coordinator_address=127.0.0.1:{port}",
      f"--num_processes={processes}",
    ]
    runs = [
      [*arguments, *joined, f"--process_id={i}"] for i in range(processes)
    ]
  started = [_start(run, devices) for run in runs]
  for process in started:
    message = process.communicate()[1]
    if process.returncode:
      raise UserError(f"a run of the suite failed: {message[-300:]}")
  rows: list[Mapping[str, Any]] = [
    json.loads(line)
    for line in (workdir / "metrics.jsonl").read_text().splitlines()
  ]
  return {
    (row["arm"], row["step"]): row["train_loss"] for row in rows if row["step"]
  }


def _start(arguments: list[str], devices: int) -> "subprocess.Popen[str]":
  environment = {
    **os.environ,
    "JAX_NUM_CPU_DEVICES": str(devices),
    "JAX_PLATFORMS": "cpu",
    "PYTHONPATH": str(_ROOT),
  }
  return subprocess.Popen(
    arguments,
    env=environment,
    stdout=subprocess.DEVNULL,
    stderr=subprocess.PIPE,
    text=True,
  )
