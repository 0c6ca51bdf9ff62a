"""Worker processes: real ones, stopped and killed."""

import os
import signal
import sys
import time

import pytest

from bnjax.lab.errors import UserError
from bnjax.lab.launch import local
from bnjax.lab.launch.local import Local, default_workers, visible_gpus
from bnjax.lab.launch.parts import make_parts, read_status, write_parts
from bnjax.lab.launch.planned import make_networks, planned
from bnjax.lab.launch.run import run


@pytest.fixture(autouse=True)
def _on_cpu(monkeypatch):
  monkeypatch.setenv("JAX_PLATFORMS", "cpu")


def _until(condition, seconds=120):
  end = time.monotonic() + seconds
  while not condition():
    assert time.monotonic() < end, "it took too long"
    time.sleep(0.05)


def test_a_killed_worker_fails_its_part_alone_and_a_stopped_one_goes_on(
  config, tmp_path, monkeypatch
):
  monkeypatch.setattr(local, "_GRACE", 120)  # the machine may be busy
  config |= {"steps": 10**6, "eval_every": 10, "seeds": 1}
  plan = planned(config, [{"model.width": w} for w in (4, 5)])
  launcher = Local(tmp_path, workers=2, data_dir=None)
  parts = make_parts(make_networks(plan)[0], tmp_path)
  write_parts(parts, plan)
  launcher.start(parts, lambda: None)
  for part in parts:
    _until(lambda part=part: (part.run / "metrics.jsonl").exists())
  pids = [worker.process.pid for worker in launcher._workers]
  os.kill(pids[0], signal.SIGKILL)
  ended = []
  _until(lambda: ended.extend(launcher.ended(0.1)) or ended)
  assert ended[0].part is parts[0]
  assert "ended with SIGKILL (out of memory?); see" in ended[0].status.error
  assert launcher.running() == [parts[1]]
  launcher.stop()
  assert read_status(parts[1].folder).state == "stopped"
  assert list((parts[1].run / "checkpoints").glob("[0-9]*"))
  for pid in pids:
    with pytest.raises(ProcessLookupError):
      os.kill(pid, 0)


def test_a_worker_trains_one_part_after_the_other(config, tmp_path, capfd):
  config["seeds"] = 1
  plan = planned(config, [{"model.width": w} for w in (4, 5, 6)])
  launcher = Local(tmp_path, workers=1, data_dir=None)
  outcome = run(plan, tmp_path, launcher)
  assert [row["point"]["model.width"] for row in outcome.rows] == [4, 5, 6]
  assert len(list((tmp_path / "logs").iterdir())) == 1
  assert not launcher.running()


def test_one_worker_a_gpu_or_a_core(monkeypatch, tmp_path):
  assert visible_gpus() == []
  monkeypatch.setenv("JAX_PLATFORMS", "")
  monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2,5")
  assert visible_gpus() == ["2", "5"]
  assert default_workers(["2", "5"]) == 2
  assert default_workers(["0"]) == 1
  launcher = Local(tmp_path, workers=4, data_dir="data")
  assert [
    launcher._environment(place)["CUDA_VISIBLE_DEVICES"] for place in range(4)
  ] == ["2", "5", "2", "5"]
  assert launcher._environment(0)["XLA_PYTHON_CLIENT_MEM_FRACTION"] == "0.45"
  monkeypatch.setitem(sys.modules, "libtpu", None)
  monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
  monkeypatch.setattr("os.cpu_count", lambda: 6)
  assert default_workers([]) == 6


def test_a_worker_that_cannot_start_is_told(config, tmp_path, monkeypatch):
  monkeypatch.setattr(sys, "executable", "/bin/false")
  config["seeds"] = 1
  launcher = Local(tmp_path, workers=1, data_dir=None)
  outcome = run(planned(config, [{"l2": 0.1}]), tmp_path, launcher)
  assert "the worker ended with status 1; see" in outcome.failed[0]["error"]


def test_the_slurm_launcher_says_that_there_is_no_slurm(monkeypatch, tmp_path):
  pytest.importorskip("submitit")
  from bnjax.lab.launch.slurm import Options, Slurm

  monkeypatch.setenv("PATH", str(tmp_path))
  with pytest.raises(UserError, match="there is no Slurm here"):
    Slurm(tmp_path, Options(), None)
