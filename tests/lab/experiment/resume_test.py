"""A run that was stopped ends as one that never was."""

import json
import os
import shutil
import signal

import numpy as np
import pytest

from bnjax.lab import experiment, results
from bnjax.lab.config import base
from bnjax.lab.errors import UserError
from bnjax.lab.experiment import checkpoints, params
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


def _went_on(workdir):
  """What a run is told until it trains, or goes on to."""
  told = []

  def tell(progress):
    told.append(progress.message)
    if not progress.message.startswith(("note: ", "reading")):
      raise _Enough

  with pytest.raises(_Enough):
    experiment.run(CONFIG, workdir, report_progress=tell)
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
