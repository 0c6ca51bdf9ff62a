"""From points to trials and units, without training any."""

import importlib
import json

import jax
import numpy as np
import pytest
from ml_collections import ConfigDict

from bnjax.lab import config as configs
from bnjax.lab.config import make_task, resolve_arms
from bnjax.lab.errors import UserError
from bnjax.lab.experiment.plan import groups, networks, replace
from bnjax.lab.launch.trials import Trial, collect, make_trials
from bnjax.lab.launch.units import (
  Status,
  begun_units,
  make_units,
  read_config,
  read_status,
  write_status,
  write_unit,
)
from bnjax.lab.models import NORMS
from bnjax.lab.registry import parameters
from bnjax.lab.train.step import init_state


@pytest.fixture
def config():
  base = configs.base()
  base.dataset.name = "mnist5k"
  base.model.update(width=8, depth=1)
  base.steps, base.seeds = 2, 2
  return base.to_dict()


def _ids(trials):
  return [trial.id for trial in trials]


def test_every_arm_at_every_point_for_every_seed(config):
  points = [{"optimizer.learning_rate": r} for r in (0.1, 1.0)]
  trials = make_trials(config, points)
  found = [(t.point["optimizer.learning_rate"], t.arm, t.seed) for t in trials]
  arms = ("batch_norm", "no_batch_norm")
  assert found == [(r, a, s) for r in (0.1, 1.0) for a in arms for s in (0, 1)]
  assert len(set(_ids(trials))) == 8
  assert trials[0].spec["optimizer"]["learning_rate"] == 0.1
  assert trials[-1].spec["norm"]["name"] == "none"


def test_a_swept_seed_is_the_only_one_and_part_of_no_point(config):
  trials = make_trials(
    config, [{"seed": s} for s in (4, 5, 4)], arms=["batch_norm"]
  )
  assert [(t.seed, t.point) for t in trials] == [(4, {}), (5, {})]


def test_the_grid_of_the_config_is_crossed(config):
  config["grid"] = {"optimizer": {"learning_rate": (0.1, 1.0)}}
  trials = make_trials(config, [{"l2": 1.0}], arms=["batch_norm"])
  assert [t.point for t in trials[::2]] == [
    {"l2": 1.0, "optimizer.learning_rate": 0.1},
    {"l2": 1.0, "optimizer.learning_rate": 1.0},
  ]


def test_a_trial_is_the_same_in_every_sweep(config):
  narrow = make_trials(config, [{"l2": 0.5}])
  wide = make_trials(
    config, [{"l2": 0.1}, {"l2": 0.5}, {"norm.decay": 0.5, "l2": 0.5}][:2]
  )
  assert set(_ids(narrow)) < set(_ids(wide))
  own = make_trials({**config, "l2": 0.5}, [])
  assert _ids(own) == _ids(narrow)
  more = make_trials({**config, "seeds": 3}, [{"l2": 0.5}])
  assert set(_ids(narrow)) < set(_ids(more))
  assert not set(_ids(narrow)) & set(
    _ids(make_trials({**config, "steps": 3}, [{"l2": 0.5}]))
  )


def test_numpy_numbers_are_numbers(config):
  points = collect(lambda add: [add({"config.l2": v}) for v in np.array([0.5])])
  assert points == [{"l2": 0.5}]
  assert type(points[0]["l2"]) is float
  assert make_trials(config, points)[0].spec["l2"] == 0.5


@pytest.mark.parametrize(
  ("point", "said"),
  [
    ({"optimizer.learning_rat": 1.0}, "did you mean 'learning_rate'"),
    ({"l2": "much"}, "sweep.l2: 'much' is of type str, and is to be float"),
    ({"steps": 1.5}, "is of type float, and is to be int"),
    ({"machine.workers": 1}, "workers: belongs to the sweep as a whole"),
    ({"seeds": 3}, "seeds: sweep seed"),
    ({"norm.name": "none"}, "norm.name: arm 'no_batch_norm' sets it itself"),
    ({"norm.decay": 0.5}, "norm.name='none' does not take it.*arm 'no_batch"),
    ({"batch_size": 10**6}, "batch_size: 1000000 is more than the 4000"),
  ],
)  # fmt: skip
def test_a_mistake_is_told_before_anything_runs(config, point, said):
  with pytest.raises(UserError, match=said) as error:
    make_trials(config, [point])
  assert "\n" not in str(error.value)


def test_arms_are_chosen_by_name(config):
  assert {
    t.arm
    for t in make_trials(config, [{"norm.decay": 0.5}], arms=["batch_norm"])
  } == {"batch_norm"}
  with pytest.raises(
    UserError,
    match="--arms: 'bn' is not one; the config has batch_norm, no_batch_norm",
  ):
    make_trials(config, [{"l2": 0.1}], arms=["bn"])


def test_a_point_that_does_not_fit_is_a_trial_with_its_error(config):
  points = [{"batch_size": n} for n in (10, 10**6)]
  good, bad = make_trials({**config, "seeds": 1}, points, arms=["batch_norm"])
  assert not good.error
  assert bad.error.startswith("batch_size: 1000000 is more than the 4000")
  assert bad.spec == {}


def test_fields_that_leave_shapes_alone_share_a_unit(config, tmp_path):
  config["model"]["dropout_rate"] = 0.5
  same = {
    "optimizer.learning_rate": (0.1, 1.0),
    "model.init_scale": (0.5, 1.0),
    "model.dropout_rate": (0.25, 0.5),
    "l2": (0.0, 0.1),
    "norm.decay": (0.5, 0.9),
    "norm.epsilon": (1e-5, 1e-3),
    "seed": (0, 1),
  }
  points = [{f: v} for f, values in same.items() for v in values]
  trials = make_trials(config, points, arms=["batch_norm"])
  (unit,) = make_units(trials, tmp_path)
  assert _ids(unit.trials) == _ids(trials)
  apart = make_trials(
    config, [{"model.width": w} for w in (8, 9)], arms=["batch_norm"]
  )
  assert [len(u.trials) for u in make_units(apart, tmp_path)] == [2, 2]
  parts = make_units(trials, tmp_path, at_most=4)
  assert max(len(u.trials) for u in parts) <= 4
  assert [i for u in parts for i in _ids(u.trials)] == _ids(trials)


def test_a_unit_is_the_experiment_of_its_trials(config, tmp_path):
  points = [{"l2": 0.5, "norm.epsilon": 1e-3}, {"l2": 0.25}]
  trials = make_trials(config, points, arms=["batch_norm"])
  (unit,) = make_units(trials, tmp_path)
  write_unit(unit, config)
  json.loads((unit.folder / "unit.json").read_text())  # and nothing else
  read = read_config(unit.folder)
  found = networks(read)
  assert [n.arm for n in found] == _ids(trials)
  assert [n.seed for n in found] == [t.seed for t in trials]
  for network, trial in zip(found, trials, strict=True):
    wanted = {**trial.spec, "seed": trial.seed, "seeds": 1}
    assert network.spec == wanted
  assert len(groups(found)) == 1


def test_a_unit_with_a_checkpoint_is_gone_on_with(config, tmp_path):
  trials = make_trials(
    config, [{"l2": v} for v in (0.1, 0.2)], arms=["batch_norm"]
  )
  (unit,) = make_units(trials, tmp_path)
  missing = {t.id: t for t in trials}
  assert begun_units(missing, [], tmp_path) == []
  write_unit(unit, config)
  (found,) = begun_units(missing, [], tmp_path)  # nothing of it is lost
  assert found.folder == unit.folder
  done, *left = trials
  rest = {t.id: t for t in left}
  assert begun_units(rest, [done.id], tmp_path) == []
  (unit.run / "checkpoints" / "3").mkdir(parents=True)
  (found,) = begun_units(rest, [done.id], tmp_path)
  assert found.trials == tuple(left)
  fewer = {t.id: t for t in left[:1]}  # the others are not wanted any more
  assert begun_units(fewer, [done.id], tmp_path) == []


def test_status_is_none_until_it_is_written(tmp_path):
  assert read_status(tmp_path) is None
  write_status(tmp_path, Status("failed", "no"))
  assert read_status(tmp_path) == Status("failed", "no")
  (tmp_path / "status.json").write_text("{")
  assert read_status(tmp_path) is None


@pytest.mark.parametrize(
  "name", [n for n, f in NORMS.items() if "epsilon" in parameters(f)]
)
def test_every_norm_takes_a_traced_epsilon(name):
  config = configs.base(model="lenet", norm=name).to_dict()
  config["arms"] = {"a": {}}
  spec = resolve_arms(config)["a"]

  def shapes(epsilon):
    task = make_task(
      replace(spec, "norm.epsilon", epsilon), num_classes=10, pixel_mean=0.0
    )
    state = init_state(task, jax.random.key(0), (28, 28, 1))
    images = jax.numpy.zeros((64, 28, 28, 1))
    return task.model.apply(
      {"params": state.params, "batch_stats": state.batch_stats},
      images,
      train=True,
      mutable=["batch_stats"],
      rngs={"dropout": jax.random.key(1)},
    )[0]

  assert jax.eval_shape(shapes, jax.numpy.float32(1e-3)).shape == (64, 10)


@pytest.mark.parametrize("name", ["learning_rates", "norms"])
def test_the_sweeps_that_come_with_it_are_valid(name):
  module = importlib.import_module(f"configs.sweeps.{name}")
  config = module.get_config("smoke")
  assert isinstance(config, ConfigDict)
  trials = make_trials(config.to_dict(), collect(module.sweep))
  assert len(trials) > 10
  assert not any(trial.error for trial in trials)
  assert all(isinstance(trial, Trial) for trial in trials)
