"""A run that was stopped ends as one that never was."""

import json
import os
import shutil
import signal
import sys

import numpy as np
import pytest

from bnjax.lab import experiment, report, results
from bnjax.lab.config import base
from bnjax.lab.errors import UserError
from bnjax.lab.experiment import checkpoints, params, workdirs
from bnjax.lab.experiment.compared import compared
from bnjax.lab.signals import Preempted

pytest.importorskip("sklearn", reason="the digits come with scikit-learn")


def _config():
  config = base(optimizer="adam")
  config.dataset.name = "digits"
  config.model.update(width=8, depth=1)
  config.batch_size = 32
  config.steps = 300
  config.eval_every = 30
  config.seeds = 2
  config.machine.max_networks = 1  # two parts an arm
  config.save_params = True
  config.predictions = True
  config.probes = {"spread": {"measure": "variance", "layers": "activation_*"}}
  config.probe_every = 60
  config.arms = {
    "dropout": {"model": {"dropout_rate": 0.5}},
    "no_norm": {"norm": {"name": "none"}},
  }
  return config.to_dict()


CONFIG = _config()


def _without_seconds(path):
  rows = [json.loads(line) for line in path.read_text().splitlines()]
  return [
    {k: v for k, v in row.items() if not k.endswith("_seconds")} for row in rows
  ]


def _assert_same(workdir, reference):
  for name in ("metrics.jsonl", "probes.jsonl", "predictions.jsonl"):
    ours, theirs = (_without_seconds(d / name) for d in (workdir, reference))
    assert ours == theirs, name
  for arm in CONFIG["arms"]:
    for seed in (0, 1):
      ours, theirs = (params.load(d, arm, seed) for d in (workdir, reference))
      _assert_same_tree(ours, theirs)


def _assert_same_tree(ours, theirs):
  assert ours.keys() == theirs.keys()
  for key, value in theirs.items():
    if isinstance(value, dict):
      _assert_same_tree(ours[key], value)
    else:
      np.testing.assert_array_equal(ours[key], value, strict=True)


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
  workdir = tmp_path_factory.mktemp("reference")
  experiment.run(CONFIG, workdir, checkpoint_seconds=0.0)
  return workdir


@pytest.fixture(scope="module")
def asked_to_stop(tmp_path_factory):
  """What a run left that was asked to stop: two checkpoints, for one thing."""
  workdir = tmp_path_factory.mktemp("stopped")

  def stop(progress):
    if progress.arm == "no_norm" and progress.step == 150:
      os.kill(os.getpid(), signal.SIGTERM)

  with pytest.raises(Preempted, match="at step 180 of no_norm; the same"):
    experiment.run(
      CONFIG,
      workdir,
      checkpoint_seconds=1e-6,
      report_progress=stop,
    )
  assert not (workdir / ".lock").exists()
  return workdir


@pytest.fixture
def stopped(asked_to_stop, tmp_path):
  return shutil.copytree(asked_to_stop, tmp_path / "stopped")


def test_asked_to_stop(stopped, reference):
  assert _without_seconds(stopped / "metrics.jsonl")[-1]["step"] == 180
  told = []
  experiment.run(CONFIG, stopped, report_progress=told.append)
  assert "going on from step 180 of part 3" in [p.message for p in told]
  _assert_same(stopped, reference)
  assert not (stopped / "checkpoints").exists()


def test_goes_on_with_more_memory_and_other_rules(stopped, reference):
  """In parts of the sizes that it began with: the checkpoint is of one."""
  told = []
  claim = results.greater("it is high", "dropout", 0.1)
  experiment.run(
    {**CONFIG, "machine": {"memory_gb": 8.0}},
    stopped,
    rules=results.Rules(claims={"high": claim}),
    report_progress=told.append,
  )
  assert "going on from step 180 of part 3" in [p.message for p in told]
  _assert_same(stopped, reference)
  summary = results.read_json(stopped / "summary.json")
  assert summary["claims"][0]["changed"] == "added after the run"


class _Enough(Exception):
  """Where a run goes on is all that a test wants to know."""


def _went_on(workdir, **config):
  """What a run is told until it trains, or goes on to."""
  told = []

  def tell(progress):
    told.append(progress.message)
    if not progress.message.startswith(("note: ", "reading")):
      raise _Enough

  with pytest.raises(_Enough):
    experiment.run({**CONFIG, **config}, workdir, report_progress=tell)
  return [line for line in told if not line.startswith("reading")]


def _damage(path):
  content = bytearray(path.read_bytes())
  content[len(content) // 2] ^= 1
  path.write_bytes(content)


def test_a_damaged_checkpoint_is_passed_over(stopped):
  newest, older = _checkpoints(stopped)
  _damage(newest)
  damaged, goes_on = _went_on(stopped)
  assert f"note: checkpoint {newest} is damaged (its digest is not" in damaged
  step = int(checkpoints.load(older).state["part"]["step"])
  assert goes_on == f"going on from step {step} of part 3"
  there = [row["step"] for row in _without_seconds(stopped / "metrics.jsonl")]
  assert there[-1] == step


def _checkpoints(workdir):
  """The newest one, then the one before it."""
  found = (workdir / "checkpoints").glob("*.npz")
  return sorted(found, key=lambda path: -int(path.stem))


def _rewritten(path, change):
  """A checkpoint that says something else, and has the digest of it."""
  found = checkpoints.load(path)
  change(found.position)
  checkpoints.save(path, found)


def _cut_otherwise(position):
  """The same networks in parts of other sizes."""
  parts = position["parts"]
  parts[1:3] = [[*parts[1], *parts[2]]]


@pytest.mark.parametrize(
  "change",
  [
    lambda position: position["training"][0].update(seed=7),
    lambda position: position["training"][0].update(arm="dropout_"),
    lambda position: position["parts"].pop(),
    _cut_otherwise,
  ],
)
def test_a_checkpoint_of_other_networks_is_refused(stopped, change):
  for path in _checkpoints(stopped):
    _rewritten(path, change)
  with pytest.raises(UserError, match=r"is of other networks than the config"):
    experiment.run(CONFIG, stopped)


def _zeros(path):
  """What a loss of power leaves: the end was never written."""
  content = path.read_bytes()
  path.write_bytes(content[:-300] + bytes(300))


def test_records_that_were_lost_are_replayed(stopped, reference):
  newest, _ = _checkpoints(stopped)
  _zeros(stopped / "metrics.jsonl")
  told = []
  experiment.run(CONFIG, stopped, report_progress=told.append)
  passed = f"checkpoint {newest} counts on records that are not there now"
  assert f"note: {passed}" in [progress.message for progress in told]
  _assert_same(stopped, reference)


def test_a_directory_that_was_moved_away_is_written_no_more(stopped, tmp_path):
  away = tmp_path / "away"

  def move(progress):
    if progress.step == 210 and not away.exists():
      stopped.rename(away)
      stopped.mkdir()
      (stopped / ".lock").write_text("of another run")

  with pytest.raises(UserError, match="was moved away, removed or replaced"):
    experiment.run(CONFIG, stopped, report_progress=move)
  assert [path.name for path in stopped.iterdir()] == [".lock"]
  assert (stopped / ".lock").read_text() == "of another run"
  (away / ".lock").unlink()
  assert _went_on(away) == ["going on from step 180 of part 3"]


# Whatever has a default may not have been there when a run began.
LATER = (
  "config.probe_split",
  "config.trained",
  "config.schedule",
  "config.dataset.center",
  "config.machine.across",
  "arms.dropout.probe_split",
  "arms.no_norm.trained",
  "arms.no_norm.schedule",
  "arms.dropout.dataset.center",
  "arms.dropout.model.norm_layers",
  "arms.dropout.norm.epsilon",
  "arms.no_norm.optimizer.b1",
)


def _of_an_earlier_version(workdir, fields, of=None):
  """Its config.json without some fields, as checkpoints of then know it."""
  path = workdir / "config.json"
  record = results.read_json(path)
  for field in fields:
    *groups, key = field.split(".")
    own = record
    for group in groups:
      own = own[group]
    del own[key]
  results.write_json(path, record)
  environment = results.read_json(workdir / "environment.json")
  of = of or workdirs.digest(record, environment)
  for checkpoint in _checkpoints(workdir):
    _rewritten(checkpoint, lambda position: position.update(of=of))


def test_a_run_of_an_earlier_version_goes_on(stopped, reference):
  _of_an_earlier_version(stopped, LATER)
  before = (stopped / "config.json").read_bytes()
  of = lambda: {
    checkpoints.load(p).position["of"] for p in _checkpoints(stopped)
  }
  of_then = of()

  def stop(progress):
    if progress.step == 240:
      os.kill(os.getpid(), signal.SIGTERM)

  with pytest.raises(Preempted):  # checkpoints that it writes are read, too
    experiment.run(
      CONFIG, stopped, checkpoint_seconds=1e-6, report_progress=stop
    )
  assert of() == of_then  # as a still later version will know them
  told = []
  experiment.run(CONFIG, stopped, report_progress=told.append)
  assert any(p.message.startswith("going on from step 2") for p in told)
  _assert_same(stopped, reference)
  assert (stopped / "config.json").read_bytes() == before
  ours, theirs = (results.read_workdir(d) for d in (stopped, reference))
  assert _entries(ours.summarize()) == _entries(theirs.summarize()) != []
  assert report.write_report(stopped).page.stat().st_size > 0


def _entries(summary):
  entries = summary["entries"]
  return [e for e in entries if not e["metric"].endswith("_seconds")]


@pytest.mark.parametrize("field", LATER)
def test_each_field_of_a_later_version_is_at_its_default(stopped, field):
  now = results.read_json(stopped / "config.json")
  _of_an_earlier_version(stopped, [field])
  before = results.read_json(stopped / "config.json")
  assert compared(before, now) == compared(now, before) == []


def test_a_config_that_lost_a_field_goes_on_from_its_checkpoint(stopped):
  (of,) = {checkpoints.load(p).position["of"] for p in _checkpoints(stopped)}
  _of_an_earlier_version(stopped, LATER, of)
  assert _went_on(stopped) == ["going on from step 180 of part 3"]


@pytest.mark.parametrize(
  ("field", "set_now", "said"),
  [
    ("l2", {"l2": 0.5}, r"arms\.dropout\.l2: 0\.0 there, 0\.5 here"),
    (
      "model.norm_layers",
      {"model": CONFIG["model"] | {"norm_layers": (0,)}},
      r"arms\.dropout\.model\.norm_layers: \[\] there, \[0\] here",
    ),
    (
      "norm.epsilon",
      {"norm": CONFIG["norm"] | {"epsilon": 0.1}},
      r"arms\.dropout\.norm\.epsilon: 1e-05 there, 0\.1 here",
    ),
    (
      "probe_split",
      {"probe_split": "test"},
      r"arms\.dropout\.probe_split: 'train' there, 'test' here",
    ),
  ],
)
def test_another_value_than_the_default_is_refused(
  stopped, field, set_now, said
):
  lost = [f"arms.dropout.{field}"]
  lost += [f"config.{field}"] * (field in CONFIG)
  _of_an_earlier_version(stopped, lost)
  with pytest.raises(UserError, match=said):
    experiment.run({**CONFIG, **set_now}, stopped)


def test_what_a_probe_does_not_set_is_at_its_default(stopped):
  named = {"spread": CONFIG["probes"]["spread"] | {"new_noise": False}}
  assert _went_on(stopped, probes=named)[-1].startswith("going on from")
  other = {"spread": CONFIG["probes"]["spread"] | {"per_feature": True}}
  said = r"probes\.spread\.per_feature: False there, True here"
  with pytest.raises(UserError, match=said):
    experiment.run({**CONFIG, "probes": other}, stopped)


def test_a_field_that_there_is_no_more_is_refused(stopped):
  record = results.read_json(stopped / "config.json")
  record["arms"]["dropout"]["dropped_out"] = 1
  record["config"]["dropped_out"] = 1
  results.write_json(stopped / "config.json", record)
  with pytest.raises(UserError, match="dropped_out: 1 there, absent here"):
    experiment.run(CONFIG, stopped)


def test_what_a_config_of_others_names_is_not_imported(stopped):
  record = results.read_json(stopped / "config.json")
  record["config"]["model"] = {"name": "this:nobody"}  # which prints
  results.write_json(stopped / "config.json", record)
  record["arms"]["dropout"]["model"] = {"name": "this:nobody"}
  now = results.read_json(stopped / "config.json")
  now["config"] = CONFIG
  assert compared(record, now)[0] == (
    "arms.dropout.model.name: 'this:nobody' there, 'mlp' here"
  )
  assert "this" not in sys.modules


def test_another_config_is_refused(stopped):
  other = {**CONFIG, "batch_size": 16}
  with pytest.raises(UserError, match="batch_size: 32 there, 16 here"):
    experiment.run(other, stopped)
  assert (stopped / "checkpoints").exists()


def test_a_trained_network_that_is_not_there(reference):
  with pytest.raises(
    UserError, match=r"no trained network of arm 'dropout', seed 7; there are "
  ):
    params.load(reference, "dropout", 7)
