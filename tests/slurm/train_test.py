"""One training in two processes, which Slurm starts."""

import sys

import pytest

from bnjax.lab import results

pytestmark = pytest.mark.slurm

_TRAIN = (
  sys.executable,
  "scripts/train.py",
  "--config=configs/init_robustness.py:smoke",
  "--config.dataset.examples=200",
  "--config.model.width=8",
  "--config.seeds=1",
  "--config.steps=10",
  # Adam makes a whole step of a rounding where a gradient is 0.
  "--config.precision=float64",
  "--quiet",
  "--writers=",
)


def _last(workdir):
  rows = results.read_rows(workdir / "metrics.jsonl").rows
  return [row for row in rows if row["step"] == 10]


def test_two_processes_train_as_one_does(run_script, tmp_path):
  step = (
    "srun",
    "--ntasks=2",
    "--overcommit",
    "--time=5",
    "--kill-on-bad-exit",
  )
  many = run_script(
    *step, *_TRAIN, f"--workdir={tmp_path / 'two'}", "--mesh=data=2"
  )
  assert many.returncode == 0, many.stderr
  one = run_script(*_TRAIN, f"--workdir={tmp_path / 'one'}")
  assert one.returncode == 0, one.stderr
  ours, expected = _last(tmp_path / "two"), _last(tmp_path / "one")
  assert [row["arm"] for row in ours] == [row["arm"] for row in expected]
  for row, same in zip(ours, expected, strict=True):
    assert row["data_loss"] == pytest.approx(same["data_loss"], rel=1e-9)
