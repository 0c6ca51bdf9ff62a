"""A sweep through submitit on a real Slurm."""

import subprocess
import sys

import pytest

from bnjax.lab import config as configs, results
from bnjax.lab.launch.planned import planned
from bnjax.lab.launch.run import run
from bnjax.lab.launch.slurm import Options, Slurm

pytestmark = pytest.mark.slurm


def _config():
  base = configs.base()
  base.dataset.name = "mnist5k"
  base.dataset.examples = 100
  base.model.update(width=4, depth=1)
  base.batch_size = 20
  base.steps, base.eval_every, base.seeds = 4, 2, 1
  base.arms = {"batch_norm": {}}
  return base.to_dict()


def test_four_networks_run_as_a_job_array(run_script, tmp_path):
  file = tmp_path / "two_by_two.py"
  file.write_text(
    "def sweep(add):\n"
    "  for width in (4, 5):\n"
    "    for rate in (0.1, 1.0):\n"
    "      point = {'model.width': width, 'optimizer.learning_rate': rate}\n"
    "      add(point, seed=0)\n"
  )
  command = (
    sys.executable,
    "scripts/sweep.py",
    "--config=configs/sweeps/learning_rates.py:smoke",
    f"--sweep={file}",
    f"--workdir={tmp_path / 'sweep'}",
    "--launcher=slurm",
    "--timeout=5",
    "--jobs=2",
  )
  found = run_script(*command)
  assert found.returncode == 0, found.stderr
  rows = results.read_rows(tmp_path / "sweep" / "metrics.jsonl").rows
  last = [row for row in rows if row["step"] == 20]
  assert len(last) == 4
  assert {row["point"]["model.width"] for row in last} == {4, 5}
  logs = (tmp_path / "sweep" / "slurm").glob("*_log.out")
  jobs = {path.name.partition("_0_log")[0] for path in logs}
  assert len(jobs) == 2
  assert len({job.partition("_")[0] for job in jobs}) == 1  # of one array
  assert "Best settings" in found.stdout
  assert (tmp_path / "sweep" / "report" / "heat_map.png").exists()
  again = run_script(*command)  # there is nothing left to submit
  assert again.returncode == 0, again.stderr
  assert results.read_rows(tmp_path / "sweep" / "metrics.jsonl").rows == rows


def test_a_job_told_to_stop_is_queued_again_and_goes_on(tmp_path, monkeypatch):
  monkeypatch.setenv("JAX_PLATFORMS", "cpu")
  # Not done before it is told to stop, however late that comes: what it has to
  # compile, once its first records are there, may lie in a cache.
  config = {**_config(), "steps": 100_000, "eval_every": 50_000}
  sweep = planned(config, [{"l2": 0.1}])
  launcher = Slurm(tmp_path, Options(timeout=5, poll_seconds=0.5), None)
  told = []
  ended = launcher.ended

  def tell_once(seconds):
    for part in launcher.running():
      if (part.run / "metrics.jsonl").exists() and not told:
        (job,) = launcher._jobs
        # What Slurm sends when the job's time is nearly over.
        subprocess.check_call(["scancel", job, "--signal=USR2"])
        told.append(job)
    for job in told:  # which Slurm lets wait for two minutes
      command = ["scontrol", "update", f"jobid={job}", "starttime=now"]
      subprocess.run(command, capture_output=True)
    return ended(seconds)

  launcher.ended = tell_once
  outcome = run(sweep, tmp_path, launcher)
  assert told
  assert [row["step"] for row in outcome.rows] == [100_000]
  log = "".join(p.read_text() for p in (tmp_path / "slurm").glob("*_log.*"))
  assert "Requeued job" in log
  assert not (tmp_path / "parts").exists()


def test_a_job_that_was_cancelled_is_a_failure(tmp_path, monkeypatch):
  monkeypatch.setenv("JAX_PLATFORMS", "cpu")
  config = {**_config(), "steps": 10**6}
  sweep = planned(config, [{"l2": 0.1}])
  launcher = Slurm(tmp_path, Options(timeout=5, poll_seconds=0.5), None)
  ended = launcher.ended

  def cancel(seconds):
    for job in list(launcher._jobs):
      subprocess.call(["scancel", job], stderr=subprocess.DEVNULL)
    return ended(seconds)

  launcher.ended = cancel
  outcome = run(sweep, tmp_path, launcher)
  assert "ended without a result" in outcome.failed[0]["error"]
