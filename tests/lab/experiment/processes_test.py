"""Several processes that train together, on this machine's CPU."""

import functools
import importlib.util
import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import time

import jax
import numpy as np
import pytest
from jax.experimental import multihost_utils

from bnjax.lab import experiment
from bnjax.lab.errors import UserError
from bnjax.lab.experiment import params, processes

WORKER = pathlib.Path(__file__).with_name("processes_worker.py")
ROOT = WORKER.parents[3]
STEPS = 40
ARMS = ("mlp", "cnn")


@functools.cache  # its flags can be defined once
def _worker():
  spec = importlib.util.spec_from_file_location("processes_worker", WORKER)
  module = importlib.util.module_from_spec(spec)
  spec.loader.exec_module(module)
  return module


def _start(workdir, count, steps, log, arms=ARMS):
  """Processes of two devices each; their standard error goes to files."""
  with socket.socket() as free:
    free.bind(("127.0.0.1", 0))
    port = free.getsockname()[1]
  environment = {
    **os.environ,
    "JAX_NUM_CPU_DEVICES": "2",
    "JAX_PLATFORMS": "cpu",
    "PYTHONPATH": str(ROOT),
  }
  started = []
  for index in range(count):
    given = {
      "workdir": workdir,
      "port": port,
      "count": count,
      "index": index,
      "steps": steps,
      "arms": ",".join(arms),
    }
    arguments = [f"--{name}={value}" for name, value in given.items()]
    with log(index).open("wb") as file:
      started.append(
        subprocess.Popen(
          [sys.executable, WORKER, *arguments],
          env=environment,
          stdout=file,
          stderr=subprocess.STDOUT,
        )
      )
  return started


def _rows(workdir, arms):
  lines = (workdir / "metrics.jsonl").read_text().splitlines()
  rows = [json.loads(line) for line in lines]
  return [row for row in rows if row["arm"] in arms]


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
  workdir = tmp_path_factory.mktemp("alone")
  experiment.run(_worker().make_config(STEPS), workdir)
  return workdir


def _assert_close(workdir, alone, arms=ARMS):
  ours, theirs = _rows(workdir, arms), _rows(alone, arms)
  assert len(ours) == len(theirs) == len(arms) * (1 + STEPS // 20)
  for one, other in zip(ours, theirs, strict=True):
    assert one.keys() == other.keys()
    for field, value in other.items():
      if field.endswith("_loss") or field in ("loss", "param_norm"):
        assert one[field] == pytest.approx(value, rel=1e-12), field
      elif field.endswith("_accuracy"):
        assert one[field] == value, field
  for arm in arms:
    _assert_trees_close(params.load(workdir, arm), params.load(alone, arm))


def _assert_trees_close(ours, theirs):
  assert ours.keys() == theirs.keys()
  for key, value in theirs.items():
    if isinstance(value, dict):
      _assert_trees_close(ours[key], value)
    else:
      np.testing.assert_allclose(ours[key], value, rtol=1e-9, atol=1e-12)


def test_two_processes_of_two_devices_train_as_one_device(alone, tmp_path):
  log = lambda index: tmp_path / f"log{index}"
  started = _start(tmp_path / "run", 2, STEPS, log)
  codes = [process.wait() for process in started]
  assert codes == [0, 0], log(0).read_text() + log(1).read_text()
  _assert_close(tmp_path / "run", alone)
  environment = json.loads((tmp_path / "run/environment.json").read_text())
  assert len(environment["devices"]) == 4


def test_a_lost_process_is_named_and_one_process_goes_on(alone, tmp_path):
  log = lambda index: tmp_path / f"log{index}"
  workdir = tmp_path / "run"
  first, second = _start(workdir, 2, STEPS, log)
  saved = workdir / "checkpoints"
  while first.poll() is None and not any(saved.glob("[0-9]*")):
    time.sleep(0.1)
  second.send_signal(signal.SIGKILL)
  first.wait(timeout=180)  # bounded: it does not wait for ever
  second.wait()
  said = log(0).read_text().splitlines()[-1]
  assert said.startswith("error: process 1 of 2 is gone")
  assert said.endswith("goes on from the last checkpoint")
  assert first.returncode == 1
  told = []
  experiment.run(
    _worker().make_config(STEPS),
    workdir,
    report_progress=lambda progress: told.append(progress.message),
  )
  assert any(message.startswith("going on from") for message in told)
  _assert_close(workdir, alone)


def test_the_others_leave_with_a_line_when_the_first_is_lost(tmp_path):
  log = lambda index: tmp_path / f"log{index}"
  first, second = _start(tmp_path / "run", 2, 10**6, log, ["mlp"])
  while first.poll() is None and "mlp" not in log(1).read_text():
    time.sleep(0.1)
  first.send_signal(signal.SIGKILL)
  second.wait(timeout=180)
  first.wait()
  said = log(1).read_text().splitlines()
  assert said[-1].startswith("error: process 0 of 2 is gone")
  assert "fatal" not in "".join(said)  # as JAX's own end is
  assert second.returncode == 1


def test_processes_that_would_train_something_else_are_refused(monkeypatch):
  first = {"config": {"steps": 10, "l2": 0.1}, "arms": {"a": {"steps": 10}}}
  sent = lambda mine: json.dumps(first, sort_keys=True).encode()
  monkeypatch.setattr(jax, "process_count", lambda: 3)
  monkeypatch.setattr(processes, "_from_first", sent)
  same = lambda flag: np.array([False, False, bool(flag)])
  monkeypatch.setattr(multihost_utils, "process_allgather", same)
  processes.agree(first)
  other = {"config": {"steps": 20, "l2": 0.1}, "arms": {"a": {"steps": 20}}}
  line = (
    r"^process 2 would train something else than process 0 \(config\.steps: "
    r"10 there, 20 here\); give all the same command, code and data$"
  )
  with pytest.raises(UserError, match=line):
    processes.agree(other)


def test_devices_of_one_process(alone, tmp_path):
  config = _worker().make_config(STEPS, ["cnn"])
  experiment.run(config, tmp_path, mesh="data=4")
  _assert_close(tmp_path, alone, ["cnn"])


@pytest.mark.parametrize(
  ("mesh", "message"),
  [
    ("data", "--mesh: 'data' is not understood; write data=N"),
    ("model=2", "--mesh: 'model=2' is not understood; write data=N"),
    ("data=0", "--mesh: 'data=0' is not understood; write data=N"),
    ("data=99", "wants 99 devices and there are 8; on a CPU set JAX_NUM_CPU"),
  ],
)
def test_a_mesh_that_cannot_be(mesh, message):
  with pytest.raises(UserError, match=message):
    processes.layout(mesh)


def test_half_of_what_joining_needs():
  with pytest.raises(UserError, match="give all three or, under Slurm, none"):
    processes.join("node:1", 2)
  with pytest.raises(UserError, match="--process_id: 2 is not below 2"):
    processes.join("node:1", 2, 2)
  with pytest.raises(UserError, match="'node' is not host:port"):
    processes.join("node", 2, 1)
