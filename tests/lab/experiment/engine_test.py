"""An experiment end to end, on real (8x8) digits, in seconds."""

import copy
import dataclasses
import json

import numpy as np
import pytest

from bnjax.lab import experiment, results
from bnjax.lab.config import base, complete, resolve_arms
from bnjax.lab.errors import UserError
from bnjax.lab.experiment import dry_run
from bnjax.lab.literature import number
from bnjax.lab.results import Custom, Layers, Rules, greater

pytest.importorskip("sklearn", reason="the digits come with scikit-learn")


def _config():
  config = base(optimizer="adam")
  config.dataset.name = "digits"
  config.model.update(width=16, depth=1)
  config.batch_size = 64
  config.steps = 75
  config.eval_every = 30
  config.seeds = 2
  config.seed = 5
  config.arms = {
    "batch_norm": {},
    "diverges": {
      "norm": {"name": "none"},
      "optimizer": {"name": "sgd", "learning_rate": 1e38},
    },
  }
  return config.to_dict()


CONFIG = _config()
RULES = Rules(
  title="a test",
  published=(
    number("batch_norm", "test_accuracy", 0.5, 0.1, seeds=5, step=75,
           source="nobody"),
  ),
  claims={
    "better": greater(
      "batch norm is better than to diverge", "batch_norm", "diverges"
    )
  },
)  # fmt: skip


@pytest.fixture(scope="module")
def done(tmp_path_factory):
  workdir = tmp_path_factory.mktemp("run")
  progress = []
  summary = experiment.run(
    CONFIG, workdir, rules=RULES, report_progress=progress.append
  )
  return workdir, summary, progress


RECORDED = {
  "SHA256SUMS",
  "config.json",
  "environment.json",
  "metrics.jsonl",
  "rules.json",
  "summary.json",
}


def _rows(workdir):
  lines = (workdir / "metrics.jsonl").read_text().splitlines()
  return [json.loads(line) for line in lines]


def test_the_work_directory_holds_the_whole_truth(done):
  workdir, summary, _ = done
  assert {path.name for path in workdir.iterdir()} == RECORDED
  config = json.loads((workdir / "config.json").read_text())["config"]
  assert config == results.to_strict(CONFIG)
  environment = json.loads((workdir / "environment.json").read_text())
  assert environment["datasets"][0]["digest"] == "sha256:7ec1f0f7c62a469f"
  assert json.loads((workdir / "summary.json").read_text()) == summary


def test_every_arm_seed_and_evaluation_has_its_row(done):
  rows = _rows(done[0])
  assert [(r["arm"], r["seed"], r["step"]) for r in rows] == [
    (arm, seed, step)
    for arm in CONFIG["arms"]
    for step in (0, 30, 60, 75)
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
  assert len(rows) == 8
  trained = [r for r in rows if r["step"]]
  assert all(r["diverged_step"] == 2 for r in trained)
  assert all(r["data_loss"] is None for r in trained)
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


def test_rules_are_recorded_when_training_begins(done):
  workdir, _, _ = done
  recorded = results.read_rules(workdir)
  assert (recorded.rules, recorded.first) == (RULES, RULES)
  assert results.read_json(workdir / "rules.json")["digest"] == (
    results.digest(RULES)
  )
  assert not {f.name for f in dataclasses.fields(Rules)} & set(
    results.read_json(workdir / "config.json")["config"]
  )


def test_other_rules_and_another_machine_are_no_other_config(tmp_path):
  config = CONFIG | {"arms": {"batch_norm": {}}, "steps": 2, "seeds": 1}
  high = Rules(claims={"high": greater("it is high", "batch_norm", 0.1)})
  higher = Rules(claims={"high": greater("it is high", "batch_norm", 0.9)})
  experiment.run(config, tmp_path, rules=high)
  machine = {"memory_gb": 2.0, "max_networks": 1, "across": "map"}
  summary = experiment.run(
    config | {"machine": machine}, tmp_path, rules=higher
  )
  (claim,) = summary["claims"]
  assert claim["changed"] == "rule changed after the run: versus was 0.1"
  again = experiment.run(config, tmp_path, rules=high)
  assert again["claims"][0]["changed"] == ""
  with pytest.raises(
    UserError, match=r"another config \(arms.batch_norm.steps: 2 there, 3 he"
  ):
    experiment.run(config | {"steps": 3}, tmp_path)


def test_overwriting_removes_a_run_and_nothing_else(tmp_path):
  workdir = tmp_path / "my_run"
  for folder in ("logs", "report", "checkpoints", "tensorboard"):
    (workdir / folder).mkdir(parents=True)
    (workdir / folder / "1").write_text("years of work")
  for name in ("config.json", "metrics.jsonl", "summary.json", "thesis.tex"):
    (workdir / name).write_text("{")
  config = CONFIG | {"arms": {"batch_norm": {}}, "steps": 2, "seeds": 1}
  before = sorted(workdir.rglob("*"))
  with pytest.raises(UserError, match=r"config\.json does not hold"):
    experiment.run(config, workdir, overwrite=True)  # whose may that be?
  assert sorted(workdir.rglob("*")) == before
  (workdir / "rules.json").write_text("a run's, and damaged")
  summary = experiment.run(config, workdir, overwrite=True)
  # Without rules it has the usual report.
  assert (summary["title"], summary["claims"]) == ("my run", [])
  assert {path.name for path in workdir.iterdir()} == {
    *RECORDED, "logs", "thesis.tex"
  }  # fmt: skip
  assert (workdir / "logs" / "1").read_text() == "years of work"


def test_same_config_again_replaces_and_repeats_it(done, tmp_path):
  workdir, _, _ = done
  config = CONFIG | {"arms": {"batch_norm": {}}}
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


def test_a_finished_run_is_left_where_its_report_alone_is_missing(done):
  workdir, summary, _ = done
  before = {path: path.read_bytes() for path in workdir.iterdir()}
  told = []
  again = experiment.run(
    CONFIG, workdir, again=False, report_progress=told.append
  )
  assert again == summary
  assert {path: path.read_bytes() for path in workdir.iterdir()} == before
  (line,) = [progress.message for progress in told]
  assert line == "note: it was finished before, and nothing is trained again"


def test_another_config_in_the_work_directory_is_refused(done):
  workdir, _, _ = done
  before = (workdir / "metrics.jsonl").read_bytes()
  with pytest.raises(UserError, match=r"another config \(.*steps.*75.*30"):
    experiment.run(CONFIG | {"steps": 30}, workdir)
  assert (workdir / "metrics.jsonl").read_bytes() == before


def test_a_directory_that_another_run_took_while_data_was_read(tmp_path):
  config = {**CONFIG, "arms": {"batch_norm": {}}, "probes": {}}
  arms = resolve_arms(complete({**config, "steps": 30}))

  def take(progress):
    if progress.message.startswith("reading"):
      results.write_json(
        tmp_path / "config.json", {"config": config, "arms": arms}
      )

  with pytest.raises(UserError, match=r"with another config \(arms.*30 there"):
    experiment.run(config, tmp_path, report_progress=take)


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
    ({"steps": -1}, "steps: -1 is too small"),
    ({"seeds": 0}, "seeds: 0 is too small"),
    ({"seed": -1}, "seed: -1"),
    ({"eval_every": 0}, "eval_every: 0 is too small"),
    ({"evaluate_at": (20, -1)}, r"evaluate_at\[1\]: -1 is too small"),
    ({"batch_size": 1198}, "batch_size: 1198 is more than the 1197 training"),
    ({"sampler": "shuffle"}, "sampler: 'shuffle' is not known.*epoch, fixed"),
    ({"dataset": {"name": "mnits"}}, r"dataset\.name: 'mnits'.*'mnist'"),
    ({"arms": {"a": {"nrom": {}}}}, r"arms\.a\.nrom"),
    ({"model": {"name": "mpl"}}, r"model\.name: 'mpl'.*'mlp'"),
    ({"optimizer": {"name": "adma"}}, r"optimizer\.name: 'adma'.*'adam'"),
    ({"claims": {}}, "config.claims: is no field.*get_rules"),
    ({"stps": 3}, "config.stps: .* did you mean 'steps'"),
    ({"seed": 2**32 - 1}, "seed: 4294967296 is too large; at most 4294967295"),
    ({"batch_size": 1}, "one number per feature has no variance.*arm 'a'"),
    ({"grid": {"l2": (0.1, 0.1)}}, "grid.l2: 0.1 is there twice"),
    ({"grid": {"l2": (0.1, np.nan)}}, "grid.l2: nan is not a finite number"),
    ({"grid": {"seed": range(10**6)}}, "1,000,000 networks are too many"),
  ],
)
def test_what_is_wrong_is_told_before_anything_is_written(
  tmp_path, change, message
):
  config = copy.deepcopy(CONFIG)
  arms = change.get("arms", {"a": {}})
  config |= {"arms": arms}
  for key, value in change.items():
    group = isinstance(value, dict) and key in ("dataset", "model", "optimizer")
    config[key] = config[key] | value if group else value
  with pytest.raises(UserError, match=message) as error:
    experiment.run(config, tmp_path / "new")
  assert "\n" not in str(error.value)
  assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
  ("change", "message"),
  [
    ({"grid": {"l2": []}}, r"grid\.l2: the axis is empty"),
    ({"grid": {"model": {"widht": [1]}}}, r"grid\.model\.widht"),
    (
      {"probes": {"p": {"measure": "norm", "layers": "dense_7"}}},
      r"probes\.p\.layers: 'dense_7'.*dense_0",
    ),
    ({"probes": {"p": {"measure": "nrom"}}}, r"probes\.p\.measure: 'nrom'"),
    (
      {"machine": {"memory_gb": 1e-6}},
      "machine.memory_gb: 1e-06 does not hold one network",
    ),
    ({"precision": "float16"}, "precision: 'float16'"),
    ({"machine": {"across": "both"}}, "machine.across: 'both'"),
  ],
)
def test_grids_probes_and_figures_are_checked_too(tmp_path, change, message):
  with pytest.raises(UserError, match=message) as error:
    experiment.run(CONFIG | change, tmp_path / "new")
  assert "\n" not in str(error.value)
  assert not (tmp_path / "new").exists()


def test_rules_for_what_will_not_be_there_are_refused(tmp_path):
  table = Rules(tables={"t": Layers(probe="size")})
  with pytest.raises(UserError, match=r"rules: tables\.t\.probe is 'size'"):
    experiment.run(CONFIG, tmp_path / "new", rules=table)
  claim = Rules(claims={"c": greater("", "batch_norm", "gone")})
  with pytest.raises(UserError, match=r"rules: claims\.c\.versus names no arm"):
    experiment.run(CONFIG, tmp_path / "new", rules=claim)
  figure = Rules(
    figures={"f": Custom(function="textwrap:dedent", options={"bins": 3})}
  )
  with pytest.raises(UserError, match=r"rules: figures\.f: options\.bins: '"):
    experiment.run(CONFIG, tmp_path / "new", rules=figure)
  assert not (tmp_path / "new").exists()


def _lines(path):
  return [json.loads(line) for line in path.read_text().splitlines()]


def _untimed(rows):
  return [
    {k: v for k, v in r.items() if not k.endswith("_seconds")} for r in rows
  ]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
  """A grid with probes, Algorithm 2 and predictions."""
  workdir = tmp_path_factory.mktemp("grid")
  config = _config() | {
    # Adam's first steps are signs of gradients: rounding would show.
    "optimizer": base(optimizer="sgd").optimizer.to_dict(),
    "steps": 20,
    "eval_every": 20,
    "probe_every": 10,
    "arms": {"batch_norm": {}},
    "grid": {"optimizer": {"learning_rate": [0.01, 0.1]}, "l2": [0.0, 1e-3]},
    "population_batches": 3,
    "predictions": True,
    "probes": {
      "input": {
        "measure": "percentiles",
        "layers": "preactivation_0",
        "unit": 2,
        "q": (25.0, 75.0),
      },
      "size": {"measure": "norm", "of": "gradient", "layers": "*/kernel"},
    },
  }
  experiment.run(config, workdir)
  return workdir, config


@pytest.mark.parametrize(
  ("listed", "tested"),
  [((), (0, 30, 60, 75)), ((25, 60, 200), (25, 60, 75))],
)
def test_held_out_sets_are_evaluated_at_chosen_steps(listed, tested, tmp_path):
  config = _config() | {"evaluate_at": listed, "seeds": 1}
  config["arms"] = {"batch_norm": {}}
  config["population_batches"] = 2
  experiment.run(config, tmp_path)
  rows = {row["step"]: row for row in _rows(tmp_path)}
  assert sorted(rows) == sorted({0, 30, 60, 75, *tested})
  for name in ("test_accuracy", "validation_loss", "population_test_loss"):
    assert tuple(step for step in rows if name in rows[step]) == tested
  assert all(row["param_norm"] > 0 for row in rows.values())
  assert [s for s in rows if "train_accuracy" in rows[s]] == sorted(rows)[1:]
  program = dry_run.estimate(config, timed=False).programs[0]
  assert program.evaluations == len(tested)


def test_every_point_of_a_grid_has_its_rows(whole):
  rows = _lines(whole[0] / "metrics.jsonl")
  assert len(rows) == 2 * 4 * 2
  points = {tuple(sorted(r["point"].items())) for r in rows}
  assert points == {
    (("l2", l2), ("optimizer.learning_rate", rate))
    for l2 in (0.0, 1e-3)
    for rate in (0.01, 0.1)
  }
  by_l2 = {r["point"]["l2"]: r["l2_loss"] for r in rows if r["step"] == 20}
  assert by_l2[0.0] == 0 < by_l2[1e-3]
  for row in rows:
    assert 0 <= row["population_test_accuracy"] <= 1
    assert "population_test_loss" in row
    assert ("loss" in row) == (row["step"] > 0)


def test_a_point_of_a_grid_is_what_a_run_of_its_own_would_be(whole, tmp_path):
  workdir, config = whole
  config = config | {"grid": {}, "l2": 1e-3, "predictions": False}
  config["optimizer"] = config["optimizer"] | {"learning_rate": 0.1}
  experiment.run(config, tmp_path)
  alone = _untimed(_lines(tmp_path / "metrics.jsonl"))
  point = {"l2": 1e-3, "optimizer.learning_rate": 0.1}
  rows = _untimed(_lines(workdir / "metrics.jsonl"))
  together = [r for r in rows if r["point"] == point]
  assert len(alone) == len(together) == 4
  for a, b in zip(alone, together, strict=True):
    for key, value in a.items():
      if isinstance(value, float):
        assert value == pytest.approx(b[key], rel=1e-3), key


def test_groups_split_to_a_budget_and_taking_turns_change_nothing(
  whole, tmp_path
):
  workdir, config = whole
  experiment.run(
    config | {"machine": {"max_networks": 3}, "interleave": True}, tmp_path
  )
  key = lambda r: (r["step"], r["seed"], sorted(r["point"].items()))
  first = sorted(_untimed(_lines(workdir / "metrics.jsonl")), key=key)
  other = sorted(_untimed(_lines(tmp_path / "metrics.jsonl")), key=key)
  for a, b in zip(first, other, strict=True):
    assert key(a) == key(b)
    assert a["param_norm"] == pytest.approx(b["param_norm"], rel=1e-4)


def test_probes_are_recorded_at_their_own_steps(whole):
  rows = _lines(whole[0] / "probes.jsonl")
  assert {r["step"] for r in rows} == {0, 10, 20}
  assert {(r["probe"], r["layer"]) for r in rows} == {
    ("input", "preactivation_0"),
    ("size", "dense_0/kernel"),
    ("size", "output/kernel"),
  }
  for row in rows:
    if row["probe"] == "input":
      low, high = row["values"]
      assert low < high
    else:
      assert row["values"] > 0


def test_predictions_of_the_whole_test_set(whole):
  rows = _lines(whole[0] / "predictions.jsonl")
  assert [r["index"] for r in rows] == list(range(300))
  assert all(r["arms"]["batch_norm"]["confidence"] >= 0.1 for r in rows)


def test_nothing_to_train_is_measured_in_float64(tmp_path):
  config = base(model="deep", loss="sum")
  config.dataset.update(name="gaussian", center=False)
  config.model.update(width=100, depth=20, init="normal", init_scale=1e-3)
  config.model.redraw = True
  config.batch_size = 1000
  config.steps = 0
  config.seeds = 2
  config.precision = "float64"
  config.arms = {"none": {"norm": {"name": "none"}}}
  config.probes = {
    "signal": {"measure": "variance", "layers": "activation_19"},
    "input": {"measure": "variance", "layers": "input"},
    "entering": {
      "measure": "variance",
      "layers": "activation_19",
      "of": "output_gradient",
    },
  }
  experiment.run(config.to_dict(), tmp_path)
  row, _ = _lines(tmp_path / "metrics.jsonl")
  assert row["step"] == 0
  assert "test_accuracy" not in row
  seen = {}
  for r in _lines(tmp_path / "probes.jsonl"):
    seen.setdefault(r["probe"], []).append(r["values"])
  # A factor of 50 * 1e-6 a layer: far below what float32 can hold.
  assert all(1e-89 < value < 1e-84 for value in seen["signal"])
  # Each seed draws examples and an entering gradient of its own.
  for own in (seen["input"], seen["entering"]):
    assert own[0] != own[1]
    assert np.allclose(own, 1, atol=0.03)


def test_in_float64_a_network_is_the_same_alone_and_beside_others(tmp_path):
  """What differs between networks of one program has the program's digits."""
  config = base()
  config.dataset.update(name="digits", examples=64)
  config.model.update(width=4, depth=1)
  config.update(batch_size=16, steps=2, eval_every=2, seeds=1)
  config.precision = "float64"
  config.arms = {"decay": {"l2": 0.1}}
  losses = []
  for name, more in (("alone", {}), ("beside", {"neither": {}})):
    config.arms = config.arms.to_dict() | more
    experiment.run(config.to_dict(), tmp_path / name)
    rows = _lines(tmp_path / name / "metrics.jsonl")
    losses += [r["loss"] for r in rows if r["arm"] == "decay" and r["step"]]
  assert losses[0] == pytest.approx(losses[1], rel=1e-13)
