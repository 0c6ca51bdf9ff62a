"""scripts/train.py as its user meets it: output, exit codes, no traceback."""

import os
import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).parent.parent.parent
CONFIG = "configs/init_robustness.py"


def _train(*arguments, cwd=ROOT):
  environment = os.environ | {"PYTHONPATH": str(ROOT), "NO_COLOR": "1"}
  return subprocess.run(
    [sys.executable, str(ROOT / "scripts" / "train.py"), *arguments],
    capture_output=True,
    text=True,
    cwd=cwd,
    env=environment,
    timeout=300,
  )


def test_smoke_run_trains_and_reports(tmp_path):
  done = _train(
    f"--config={CONFIG}:mnist5k,smoke",
    "--config.seeds=3",
    "--config.norm.epsilon=1e-3",
    f"--workdir={tmp_path / 'run'}",
  )
  assert done.returncode == 0, done.stderr
  assert "cannot be compared" in done.stdout
  assert "sha256:ed61b6533f91b971" in done.stdout
  assert "0.8853" in done.stdout
  page = tmp_path / "run" / "report" / "index.html"
  assert str(page) in done.stdout.replace("\n", "")
  assert page.exists()
  assert "batch_norm 20/20" in done.stderr
  assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
  ("arguments", "message"),
  [
    ([], "error: --config: which experiment?"),
    (["--config=configs/nothing.py"], "there is no file configs/nothing.py"),
    ([f"--config={CONFIG}:mnits"], "dataset.name: 'mnits'"),
    (
      [f"--config={CONFIG}:smoke,mnist,cifar"],
      "'cifar' is one data set too many",
    ),
    (
      [f"--config={CONFIG}:smoke", "--config.stesp=3"],
      "config.stesp: 'stesp' is not known; did you mean 'steps'?",
    ),
    (
      [f"--config={CONFIG}:smoke", "--config.optimizer.lr=3"],
      "config.optimizer.lr: 'lr' is not known; Choices: b1,",
    ),
    (
      [f"--config={CONFIG}:smoke", "--config.steps.more=3"],
      "config.steps.more: steps has no fields",
    ),
    (
      [f"--config={CONFIG}:smoke", "--config.steps=many"],
      "--config.steps=many",
    ),
    (
      [f"--config={CONFIG}:smoke", "--config.seeds=0"],
      "seeds: 0 is too small",
    ),
    (
      [f"--config={CONFIG}:smoke", "--config.norm.name=batchnorm"],
      "norm.name: 'batchnorm' is not known; did you mean 'batch_norm'?",
    ),
    (
      [f"--config={CONFIG}:smoke", "--config.optimizer.name=adamm"],
      "optimizer.name: 'adamm' is not known; did you mean 'adam'",
    ),
    (
      [f"--config={CONFIG}:smoke", "--config.batch_size=5000"],
      "batch_size: 5000 is more than the 4000 training examples of mnist5k",
    ),
    (
      [f"--config={CONFIG}:smoke", "--config.optimizer.momentum=0.9"],
      "optimizer.momentum: optimizer.name='adam' does not take it",
    ),
    ([f"--config={CONFIG}:smoke", "now"], "'now': not a flag"),
    ([f"--config={CONFIG}:smoke", "--wordir=x"], "wordir"),
  ],
)
def test_a_mistake_is_one_clear_line(tmp_path, arguments, message):
  config = str(ROOT / CONFIG)
  arguments = [a.replace(CONFIG, config) for a in arguments]
  done = _train(*arguments, cwd=tmp_path)
  assert done.returncode == 1
  assert done.stdout == ""
  (line,) = done.stderr.strip().splitlines()
  assert line.startswith("error: ")
  assert message in line
  assert list(tmp_path.iterdir()) == []
