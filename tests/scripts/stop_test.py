"""scripts/train.py when it is asked to stop, by Slurm or a person."""

import os
import pathlib
import signal
import subprocess
import sys
import time

import pytest

ROOT = pathlib.Path(__file__).parent.parent.parent


def _start(workdir):
  arguments = [
    sys.executable,
    "scripts/train.py",
    "--config=configs/init_robustness.py:smoke",
    "--config.steps=1000000",
    "--config.eval_every=10",
    "--writers=",
    f"--workdir={workdir}",
  ]
  return subprocess.Popen(
    arguments,
    cwd=ROOT,
    env=os.environ | {"PYTHONPATH": str(ROOT)},
    stderr=subprocess.PIPE,
    text=True,
  )


def _wait_for(process, text):
  lines = []
  for line in process.stderr:
    lines.append(line)
    if text in line:
      return
  raise AssertionError("".join(lines))


def test_a_run_that_is_asked_to_stop_says_that_it_can_go_on(tmp_path):
  workdir = tmp_path / "run"
  first = _start(workdir)
  _wait_for(first, "/1000000")
  second = _start(workdir)
  refused = second.communicate(timeout=300)[1]
  assert second.returncode == 1
  assert f"in use by process {first.pid} on " in refused
  _assert_stops(first, signal.SIGINT, 130)
  again = _start(workdir)
  _wait_for(again, "going on from step")
  _wait_for(again, "/1000000")
  _assert_stops(again, signal.SIGTERM, 75)


def _assert_stops(process, number, status):
  process.send_signal(number)
  told = process.communicate(timeout=300)[1]
  assert process.returncode == status, told
  assert "stopped as asked, at step " in told.splitlines()[-1]
  assert "the same command goes on from there" in told


@pytest.mark.parametrize("seconds", [0.3, 4])
def test_a_run_that_has_not_begun_is_ended_by_a_person(tmp_path, seconds):
  process = _start(tmp_path / "run")
  time.sleep(seconds)
  process.send_signal(signal.SIGINT)
  told = process.communicate(timeout=20)[1]
  assert process.returncode == 130, told
  assert len(told.splitlines()) == 1 or seconds == 4, told
  assert "the same command" in told.splitlines()[-1]
