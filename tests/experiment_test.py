"""An experiment end to end, on real (8x8) digits, in seconds."""

import copy
import json

import numpy as np
import pytest

from bnjax import experiment
from bnjax.errors import UserError

pytest.importorskip("sklearn", reason="the digits come with scikit-learn")

CONFIG = {
  "title": "a test",
  "dataset": {"name": "digits"},
  "model": {
    "name": "mlp",
    "width": 16,
    "depth": 1,
    "init": "he",
    "dropout_rate": 0.0,
  },
  "norm": {"name": "batch_norm", "epsilon": 1e-5},
  "optimizer": {"name": "adam", "learning_rate": 1e-2, "momentum": 0.5},
  "l2": 0.0,
  "sampler": "epoch",
  "batch_size": 64,
  "steps": 75,
  "eval_every": 30,
  "seeds": 2,
  "seed": 5,
  "arms": {
    "batch_norm": {},
    "diverges": {
      "norm": {"name": "none"},
      "optimizer": {"name": "sgd", "learning_rate": 1e38},
    },
  },
  "published": {
    "batch_norm": {
      "test_accuracy": {
        "mean": 0.5,
        "std": 0.1,
        "seeds": 5,
        "dataset": "mnist",
        "step": 75,
        "source": "nobody",
      }
    }
  },
  "claims": {
    "better": {
      "text": "batch norm is better than to diverge",
      "metric": "test_accuracy",
      "arm": "batch_norm",
      "versus": "diverges",
    }
  },
}


@pytest.fixture(scope="module")
def done(tmp_path_factory):
  workdir = tmp_path_factory.mktemp("run")
  progress = []
  summary = experiment.run(CONFIG, workdir, report_progress=progress.append)
  return workdir, summary, progress


def _rows(workdir):
  lines = (workdir / "metrics.jsonl").read_text().splitlines()
  return [json.loads(line) for line in lines]


def test_the_work_directory_holds_the_whole_truth(done):
  workdir, summary, _ = done
  names = {path.name for path in workdir.iterdir()}
  assert names == {
    "config.json",
    "environment.json",
    "metrics.jsonl",
    "summary.json",
  }
  assert json.loads((workdir / "config.json").read_text())["config"] == CONFIG
  environment = json.loads((workdir / "environment.json").read_text())
  assert environment["datasets"][0]["digest"] == "sha256:7ec1f0f7c62a469f"
  assert json.loads((workdir / "summary.json").read_text()) == summary


def test_every_arm_seed_and_evaluation_has_its_row(done):
  rows = _rows(done[0])
  assert [(r["arm"], r["seed"], r["step"]) for r in rows] == [
    (arm, seed, step)
    for arm in CONFIG["arms"]
    for step in (30, 60, 75)
    for seed in (5, 6)
  ]
  for row in rows:
    for field in ("validation_accuracy", "test_accuracy"):
      assert 0 <= row[field] <= 1


def test_batch_norm_learns(done):
  final = [r for r in _rows(done[0]) if r["step"] == 75]
  accuracy = [r["test_accuracy"] for r in final if r["arm"] == "batch_norm"]
  assert min(accuracy) > 0.7
  assert all(r["loss"] < 1.5 for r in final if r["arm"] == "batch_norm")


def test_divergence_is_recorded_with_its_step_and_not_dropped(done):
  workdir, summary, _ = done
  rows = [r for r in _rows(workdir) if r["arm"] == "diverges"]
  assert len(rows) == 6
  assert all(r["diverged_step"] == 2 for r in rows)
  assert all(r["data_loss"] is None for r in rows)
  entry = next(
    e
    for e in summary["entries"]
    if (e["arm"], e["metric"]) == ("diverges", "test_accuracy")
  )
  assert entry["diverged"]["count"] == 2
  assert entry["seeds"] == 2
  guessing = np.mean([r["test_accuracy"] for r in rows if r["step"] == 75])
  assert entry["mean"] == pytest.approx(guessing)


def test_verdicts_come_from_the_rules(done):
  _, summary, _ = done
  entries = {(e["arm"], e["metric"]): e for e in summary["entries"]}
  verdict = entries["batch_norm", "test_accuracy"]
  assert verdict["verdict"] == "cannot be compared"
  assert "mnist" in verdict["reason"]
  (claim,) = summary["claims"]
  assert claim["verdict"] == "holds"


def test_progress_is_told_after_every_chunk(done):
  told = [(p.arm, p.step, p.steps) for p in done[2]]
  assert told[0] == ("", 0, 1)
  for arm in CONFIG["arms"]:
    assert [s for a, s, _ in told if a == arm] == [0, 30, 60, 75]


def test_same_config_again_replaces_and_repeats_it(done, tmp_path):
  workdir, _, _ = done
  config = CONFIG | {"arms": {"batch_norm": {}}, "claims": {}}
  experiment.run(config, tmp_path)
  first = _rows(tmp_path)
  experiment.run(config, tmp_path)
  again = _rows(tmp_path)
  assert len(first) == len(again)
  untimed = lambda rows: [
    {k: v for k, v in r.items() if not k.endswith("_seconds")} for r in rows
  ]
  assert untimed(first) == untimed(again)
  arm = [r for r in _rows(workdir) if r["arm"] == "batch_norm"]
  assert untimed(first) == untimed(arm)


def test_another_config_in_the_work_directory_is_refused(done):
  workdir, _, _ = done
  before = (workdir / "metrics.jsonl").read_bytes()
  with pytest.raises(UserError, match=r"another config \(.*steps.*75.*30"):
    experiment.run(CONFIG | {"steps": 30}, workdir)
  assert (workdir / "metrics.jsonl").read_bytes() == before


def test_a_directory_of_something_else_is_refused(tmp_path):
  (tmp_path / "thesis.tex").write_text("years of work")
  with pytest.raises(UserError, match="holds no experiment"):
    experiment.run(CONFIG, tmp_path)
  assert [p.name for p in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_damaged_config_is_told(tmp_path):
  (tmp_path / "config.json").write_text("{")
  with pytest.raises(UserError, match=r"config\.json does not hold"):
    experiment.run(CONFIG, tmp_path)


@pytest.mark.parametrize(
  ("change", "message"),
  [
    ({"steps": 0}, "steps: 0 is too small"),
    ({"seeds": 0}, "seeds: 0 is too small"),
    ({"seed": -1}, "seed: -1"),
    ({"eval_every": 0}, "eval_every: 0 is too small"),
    ({"batch_size": 1198}, "batch_size: 1198 is more than the 1197 training"),
    ({"sampler": "shuffle"}, "sampler: 'shuffle' is not known.*epoch, fixed"),
    ({"dataset": {"name": "mnits"}}, r"dataset\.name: 'mnits'.*'mnist'"),
    ({"arms": {"a": {"nrom": {}}}}, r"arms\.a\.nrom"),
    ({"model": {"name": "mpl"}}, r"model\.name: 'mpl'.*'mlp'"),
    ({"optimizer": {"name": "adma"}}, r"optimizer\.name: 'adma'.*'adam'"),
    ({"claims": {"c": {"text": "?"}}}, r"claims\.c"),
  ],
)
def test_what_is_wrong_is_told_before_anything_is_written(
  tmp_path, change, message
):
  config = copy.deepcopy(CONFIG)
  arms = change.get("arms", {"a": {}})
  config |= {"arms": arms, "claims": {}, "published": {}} | change
  with pytest.raises(UserError, match=message) as error:
    experiment.run(config, tmp_path / "new")
  assert "\n" not in str(error.value)
  assert not (tmp_path / "new").exists()
