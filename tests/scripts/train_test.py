"""scripts/train.py as its user meets it: output, exit codes, no traceback."""

import json
import os
import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).parent.parent.parent
CONFIG = "configs/init_robustness.py"


SCRIPT = ROOT / "scripts" / "train.py"
OURS = {"PYTHONPATH": str(ROOT), "NO_COLOR": "1"}


def _train(*arguments, cwd=ROOT):
  return subprocess.run(
    [sys.executable, str(SCRIPT), *arguments],
    capture_output=True,
    text=True,
    cwd=cwd,
    env=os.environ | OURS,
    timeout=300,
  )


def test_smoke_run_trains_and_reports(tmp_path):
  command = (
    f"--config={CONFIG}:mnist5k,smoke",
    "--config.seeds=3",
    "--config.norm.epsilon=1e-3",
    f"--workdir={tmp_path / 'run'}",
  )
  done = _train(*command)
  assert done.returncode == 0, done.stderr
  assert "cannot be compared" in done.stdout
  assert "sha256:ed61b6533f91b971" in done.stdout
  assert "0.8853" in done.stdout
  page = tmp_path / "run" / "report" / "index.html"
  assert str(page) in done.stdout.replace("\n", "")
  assert page.exists()
  assert "batch_norm 20/20" in done.stderr
  assert "Traceback" not in done.stderr
  # README's table is of the same random numbers. Who draws others makes that
  # anew (see docs/results), and says so in CHANGELOG.md.
  summary = json.loads((tmp_path / "run" / "summary.json").read_text())
  losses = {
    entry["arm"]: entry["mean"]
    for entry in summary["entries"]
    if entry["metric"] == "data_loss"
  }
  assert losses["batch_norm"] == pytest.approx(7.965, rel=2e-3)
  assert losses["no_batch_norm"] == pytest.approx(337.46, rel=2e-3)
  # As if it had been killed while the report was drawn.
  page.unlink()
  metrics = tmp_path / "run" / "metrics.jsonl"
  before = metrics.stat().st_mtime_ns
  again = _train(*command)
  assert again.stdout == done.stdout
  assert "note: it was finished before, and nothing is trained" in again.stderr
  assert metrics.stat().st_mtime_ns == before
  assert page.exists()


def test_a_platform_that_is_not_there_is_one_line(monkeypatch):
  monkeypatch.setenv("JAX_PLATFORMS", "nonsense")
  done = _train(f"--config={CONFIG}:smoke", "--dry_run")
  assert done.returncode == 1
  (line,) = done.stderr.splitlines()
  assert line.startswith("error: JAX_PLATFORMS: Unable to initialize backend")


MISTAKES = [
  ([], "error: --config: which experiment?"),
  (["--config=configs/nothing.py"], "configs/nothing.py is not there"),
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
    "config.optimizer.lr: 'lr' is not known; Choices: b1, b2, eps, ",
  ),
  (
    [
      f"--config={CONFIG}:smoke",
      "--config.norm.groups=1.5",
      "--config.norm.name=group_norm",
    ],
    "config.norm.groups: '1.5' cannot be its value; it holds whole numbers",
  ),
  (
    [f"--config={CONFIG}:smoke", "--config.norm.name=broken:Norm"],
    "norm.name: 'broken:Norm': broken (",
  ),
  (
    [f"--config={CONFIG}:smoke", "--config.model.name=nowhere:Net"],
    "model.name: 'nowhere:Net' cannot be imported: ModuleNotFoundError: No mod",
  ),
  (
    [f"--config={CONFIG}:smoke", "--config.memory_gb=8"],
    "'memory_gb' is not known; did you mean machine.memory_gb?",
  ),
  (
    [f"--config={CONFIG}:smoke", "--config.steps.more=3"],
    "config.steps.more: steps has no fields",
  ),
  (
    [f"--config={CONFIG}:smoke", "--config.steps=many"],
    "config.steps: 'many' cannot be its value; it holds whole numbers (now",
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
  (
    [f"--config={CONFIG}:smoke", "--wordir=x"],
    "--wordir: no such flag; did you mean --workdir?",
  ),
  (["--config=configs/nothing.py", "--config.steps=3"], "is not there"),
  (
    ["--config=configs/init_robustnes.py"],
    "init_robustnes.py is not there; did you mean configs/init_robustness.py?",
  ),
  (["--config=README.md"], "README.md is no Python file"),
  (["--config=configs"], "configs is no Python file"),
  (["--config=" + "x" * 300], "is not there"),
  (["--config"], "--config: its value is missing; write --config=..."),
  (["--config.steps=3"], "--config.steps: of which experiment?"),
  (["--config=broken.py"], "broken.py: line 2: NameError: name 'of' is not"),
  (["--config=wrong.py"], "wrong.py: line 1: SyntaxError: "),
  (
    [f"--config={CONFIG}:smoke", "--config.steps"],
    "--config.steps: its value is missing; write --config.steps=...",
  ),
  (
    [f"--config={CONFIG}:smoke", "--config.l2=much"],
    "config.l2: 'much' cannot be its value; it holds numbers (now 0.001)",
  ),
  (
    [f"--config={CONFIG}:smoke", "--config.optimizer=sgd"],
    "config.optimizer: is a group of fields; set one of them: learning_rate",
  ),
  (
    [f"--config={CONFIG}:smoke", "--config.arms.batch_nrm.norm.name=none"],
    "config.arms.batch_nrm: 'batch_nrm' is not known; did you mean 'batch_norm",
  ),
  ([f"--config={CONFIG}:smoke", "--steps=3"], "is set by --config.FIELD"),
  (
    [f"--config={CONFIG}:smoke", "--writers=tensorbord"],
    "--writers: 'tensorbord' is not known; did you mean 'tensorboard'?",
  ),
  (
    [f"--config={CONFIG}:smoke", "--workdir=README.md"],
    "--workdir: README.md exists and holds no experiment",
  ),
]


@pytest.fixture(scope="module")
def told(tmp_path_factory):
  """What is said of each mistake, in a folder where nothing may be left."""
  cwd = tmp_path_factory.mktemp("empty")
  (cwd / "configs").mkdir()
  (cwd / "configs" / "init_robustness.py").symlink_to(ROOT / CONFIG)
  (cwd / "README.md").write_text("That is JAX's own.")
  (cwd / "broken.py").write_text("def get_config():\n  return of\n")
  (cwd / "wrong.py").write_text("def get_config(:\n")
  before = sorted(cwd.rglob("*"))
  done = subprocess.run(
    [sys.executable, str(ROOT / "tests/scripts/each.py"), str(SCRIPT)],
    input=json.dumps([["--help"], *(arguments for arguments, _ in MISTAKES)]),
    capture_output=True,
    text=True,
    cwd=cwd,
    env=os.environ | OURS,
    timeout=300,
    check=True,
  )
  after = [p for p in sorted(cwd.rglob("*")) if "__pycache__" not in str(p)]
  assert after == before
  return json.loads(done.stdout)


@pytest.mark.parametrize(
  ("i", "message"), [(i, message) for i, (_, message) in enumerate(MISTAKES, 1)]
)
def test_a_mistake_is_one_clear_line(told, i, message):
  done = told[i]
  assert done["returncode"] == 1
  assert done["stdout"] == ""
  (line,) = done["stderr"].strip().splitlines()
  assert line.startswith("error: ")
  assert message in line


def test_help_fits_a_screen_and_gives_examples(told):
  assert told[0]["returncode"] == 0
  lines = told[0]["stdout"].splitlines()
  assert len(lines) <= 36
  assert max(map(len, lines)) <= 80
  assert "  python scripts/train.py --config=" in told[0]["stdout"]
  assert "--workdir=..." in told[0]["stdout"]
