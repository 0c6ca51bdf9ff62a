import os

import pytest

from bnjax.lab import experiment
from bnjax.lab.config import base, complete
from bnjax.lab.experiment import dry_run
from bnjax.lab.experiment.dry_run import timing
from bnjax.lab.experiment.dry_run.estimate import data_bytes
from bnjax.lab.experiment.dry_run.timing import Timing


def _config():
  config = base()
  config.dataset.name = "digits"  # 8x8, 10 classes, 1197/300/300
  config.model.update(width=16, depth=1, use_bias=True)
  config.batch_size = 64
  config.steps = 75
  config.eval_every = 30
  config.seeds = 3
  config.grid = {"l2": (0.0, 0.1)}
  config.arms.narrow = {"model": {"width": 8}}
  return config.to_dict()


@pytest.fixture(scope="module")
def counted():
  return dry_run.estimate(_config(), timed=False)


def test_parameters_and_flops_are_those_of_the_formulas(counted):
  _, narrow, plain = counted.programs
  assert plain.arms == ("no_batch_norm",)
  assert plain.parameters == 64 * 16 + 16 + 16 * 10 + 10
  assert narrow.parameters == 64 * 8 + 8 + 8 * 10 + 10 + 2 * 8
  # Multiply-adds of each kernel, forward and for its gradient, and back to
  # the hidden layer.
  products = 2 * 64 * (2 * 64 * 16 + 3 * 16 * 10)
  assert products < plain.step_flops < 1.3 * products


def test_programs_hold_the_networks_of_all_points_and_seeds(counted):
  assert [program.parts for program in counted.programs] == [(6,)] * 3
  assert {program.fields for program in counted.programs} == {("l2",)}
  assert counted.programs[0].evaluations == 4
  rows = dry_run.to_tables(counted)[0].rows
  assert [row[2] for row in rows] == ["6 (l2)"] * 3
  assert counted.estimate is None


def test_memory_is_the_bound_that_programs_are_split_by(counted):
  first, *_ = experiment.prepare(complete(_config()))
  state, step = first.need
  assert counted.programs[0].bytes == 6 * (2 * state + step)
  assert first.need.together(6, "map") == 12 * state + step
  for across in ("map", "vmap"):
    budget = first.need.together(6, across)
    assert first.need.at_once(budget, across) == 6
    assert first.need.at_once(budget - 1, across) == 5
  assert data_bytes(first) == 1797 * (64 + 4)


def test_the_config_is_told_once_and_then_where_arms_differ(counted):
  lines = dry_run.config_lines(counted)
  assert lines[0] == "every arm"
  assert max(map(len, lines)) <= 80
  text = "\n".join(lines)
  assert text.count("batch_size=64") == 1
  assert "l2=(0.0, 0.1)" in text  # the axis, and not its first value
  narrow = text[text.index("\nnarrow") :]
  assert "model.width=8" in narrow
  assert "norm.name=batch_norm" in narrow


def test_other_programs_are_estimated_from_the_one_that_was_timed(monkeypatch):
  measured = Timing(3, 5, 7.0, 0.5, 2.0)
  timed = []
  monkeypatch.setattr(
    timing,
    "measure",
    lambda program, *_: timed.append(program.parts[0]) or measured,
  )
  config = _config() | {"grid": {}}
  few = {"batch_size": 32, "steps": 30}
  config["arms"] = {"batch_norm": {}, "few": {"model": {"width": 8}} | few}
  found = dry_run.estimate(config)
  full, small = found.programs
  assert full.flops == full.step_flops * 75 * 3
  assert small.flops == small.step_flops * 30 * 3
  assert [network.arm for network in timed[0].networks] == ["batch_norm"] * 3
  estimate = found.estimate
  assert (estimate.timed, estimate.compilation) == (0, 14.0)
  share = small.step_flops / full.step_flops
  assert 0.1 < share < 0.5
  training = 0.5 * 3 * (75 + share * 30)
  assert estimate.training == pytest.approx(training)
  # At steps 0, 30, 60, 75, and at 0, 30; half of the batch, so that an example
  # takes twice the share of a step.
  evaluation = 2.0 * 3 * (4 + 2 * share * 2)
  assert estimate.evaluation == pytest.approx(evaluation)
  assert estimate.seconds == pytest.approx(14.0 + training + evaluation)
  programs, times = dry_run.to_tables(found)
  assert [row[:3] for row in programs.rows] == [
    ("1", "batch_norm", "3"),
    ("2", "few", "3"),
  ]
  assert times.title == "Time, a rough estimate"
  assert times.notes[0] == (
    "measured: 5 steps of program 1 with 3 networks on random images, 1.5 s a "
    "step"
  )


def test_a_timed_run_writes_nothing_and_says_what_it_measured(
  tmp_path, monkeypatch
):
  monkeypatch.chdir(tmp_path)
  config = _config() | {"arms": {"batch_norm": {}}, "grid": {}}
  found = dry_run.estimate(config)
  assert os.listdir(tmp_path) == []
  estimate = found.estimate
  assert estimate.timing.networks == 3
  assert estimate.timing.step_seconds > 0
  assert estimate.training == pytest.approx(
    estimate.timing.step_seconds * 3 * 75
  )
  assert estimate.seconds == pytest.approx(
    estimate.compilation + estimate.training + estimate.evaluation
  )
  programs, times = dry_run.to_tables(found)
  assert programs.rows[0][2:4] == ("3", "1,242")
  assert [row[0] for row in times.rows] == [
    "compilation", "training", "evaluation", "all",
  ]  # fmt: skip
  assert "random images" in times.notes[0]
