"""scripts/train.py when it is asked to stop, as Slurm asks."""

import os
import pathlib
import signal
import subprocess
import sys

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
  first.send_signal(signal.SIGTERM)
  told = first.communicate(timeout=300)[1]
  assert first.returncode == 75, told
  assert "stopped as asked, at step " in told.splitlines()[-1]
  assert "the same command goes on from there" in told
