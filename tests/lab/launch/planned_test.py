"""From points to a plan, its networks and parts, without training any."""

import importlib
import json
import math
from pathlib import Path

import jax
import pytest
from ml_collections import ConfigDict

from bnjax.lab import config as configs
from bnjax.lab.config import complete, make_task, resolve_arms
from bnjax.lab.errors import UserError
from bnjax.lab.experiment import dry_run
from bnjax.lab.experiment.plan import groups, replace
from bnjax.lab.launch.parts import (
  Status,
  by_key,
  found_parts,
  make_parts,
  read_part,
  read_status,
  write_parts,
  write_status,
)
from bnjax.lab.launch.planned import make_networks, planned
from bnjax.lab.launch.points import collect
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


def _networks(config, points, arms=()):
  return make_networks(planned(config, points, arms), arms=arms)[0]


def test_every_arm_at_every_point_for_every_seed(config):
  points = [{"optimizer.learning_rate": r} for r in (0.1, 1.0)]
  found = _networks(config, points)
  names = [(n.point["optimizer.learning_rate"], n.arm, n.seed) for n in found]
  arms = ("batch_norm", "no_batch_norm")
  assert names == [(r, a, s) for r in (0.1, 1.0) for a in arms for s in (0, 1)]
  assert found[0].spec["optimizer"]["learning_rate"] == 0.1
  assert found[-1].spec["norm"]["name"] == "none"


@pytest.mark.parametrize(
  ("points", "grid", "rest", "seeds"),
  [
    ([{"l2": 0.5}, {"l2": 1.0}], {"l2": (0.5, 1.0)}, (), (0, 2)),
    (
      [{"l2": v, "norm.decay": d} for v in (0.5, 1.0) for d in (0.5, 0.9)],
      {"l2": (0.5, 1.0), "norm": {"decay": (0.5, 0.9)}},
      (),
      (0, 2),
    ),
    ([{"l2": 0.5, "seed": s} for s in (4, 5)], {"l2": (0.5,)}, (), (4, 2)),
    (
      [{"l2": v, "seed": s} for v in (0.5, 1.0) for s in (4, 9)],
      {"l2": (0.5, 1.0)},
      ({"seed": 4}, {"seed": 9}),
      (0, 2),
    ),
    (
      [{"l2": 0.5}, {"norm.decay": 0.5}],
      {},
      ({"l2": 0.5}, {"norm.decay": 0.5}),
      (0, 2),
    ),
    (
      [{"l2": 0.5, "seed": 1}, {"l2": 1.0, "seed": 2}],
      {},
      ({"l2": 0.5, "seed": 1}, {"l2": 1.0, "seed": 2}),
      (0, 2),
    ),
  ],
)
def test_what_is_a_grid_becomes_one(config, points, grid, rest, seeds):
  plan = planned(config, [*points, points[0]], ["batch_norm"])
  assert (plan["grid"], plan["points"]) == (grid, rest)
  assert (plan["seed"], plan["seeds"]) == seeds
  own = [p.get("seed") for p in points]
  wanted = {
    (json.dumps({k: v for k, v in p.items() if k != "seed"}), s)
    for p, seed in zip(points, own, strict=True)
    for s in ((0, 1) if seed is None else (seed,))
  }
  found = make_networks(plan, arms=["batch_norm"])[0]
  assert {(json.dumps(n.point), n.seed) for n in found} == wanted
  assert len(found) == len(wanted)


def test_the_grid_of_the_config_is_crossed(config):
  config["grid"] = {"optimizer": {"learning_rate": (0.1, 1.0)}}
  found = _networks(config, [{"l2": 1.0}], ["batch_norm"])
  assert [n.point for n in found[::2]] == [
    {"l2": 1.0, "optimizer.learning_rate": 0.1},
    {"l2": 1.0, "optimizer.learning_rate": 1.0},
  ]


@pytest.mark.parametrize(
  ("point", "said"),
  [
    ({"optimizer.learning_rat": 1.0}, "did you mean 'learning_rate'"),
    ({"l2": "much"}, "sweep.l2: 'much' is of type str, and is to be float"),
    ({"steps": 1.5}, "is of type float, and is to be int"),
    ({"machine.workers": 1}, "workers: belongs to the sweep as a whole"),
    ({"seeds": 3}, "seeds: sweep seed"),
    ({"seed": -1}, "seed: -1 is too small; at least 0"),
    ({"norm.name": "none"}, "norm.name: arm 'no_batch_norm' sets it itself"),
    ({"norm.decay": 0.5}, "norm.name='none' does not take it.*arm 'no_batch"),
    ({"batch_size": 10**6}, "batch_size: 1000000 is more than the 4000"),
  ],
)  # fmt: skip
def test_a_mistake_is_told_before_anything_runs(config, point, said):
  with pytest.raises(UserError, match=said) as error:
    _networks(config, [point])
  assert "\n" not in str(error.value)


def test_arms_are_chosen_by_name(config):
  found = _networks(config, [{"norm.decay": 0.5}], ["batch_norm"])
  assert {n.arm for n in found} == {"batch_norm"}
  with pytest.raises(
    UserError,
    match="--arms: 'bn' is not one; the config has batch_norm, no_batch_norm",
  ):
    planned(config, [{"l2": 0.1}], ["bn"])


def test_a_point_that_does_not_fit_stops_no_other(config):
  points = [{"batch_size": n} for n in (10, 10**6)]
  plan = planned(config, points, ["batch_norm"])
  good, bad = make_networks(plan, arms=["batch_norm"])
  assert [n.point for n in good] == [points[0]] * 2
  assert [(row["point"], row["seed"]) for row in bad] == [
    (points[1], 0),
    (points[1], 1),
  ]
  assert bad[0]["error"].startswith("batch_size: 1000000 is more than the 4000")


@pytest.mark.parametrize(
  ("field", "values", "guilty"),
  [
    ("seed", range(2**32 - 2, 2**32 + 2), {2**32, 2**32 + 1}),
    ("seed", range(-1, 2), {-1}),
    ("optimizer.learning_rate", (0.01, 0.1, math.inf), {math.inf}),
    ("optimizer.learning_rate", (0.01, -0.1), {-0.1}),
    ("norm.decay", (2.0, 0.9), {2.0}),
    ("norm.decay", (0.9, 2.0), {2.0}),
    ("l2", (-1.0, 0.5), {-1.0}),
  ],
)  # fmt: skip
def test_the_guilty_one_alone_fails(config, field, values, guilty):
  config["seeds"] = 1
  plan = planned(config, [{field: v} for v in values], ["batch_norm"])
  good, bad = make_networks(plan, arms=["batch_norm"])
  own = lambda seed, point: seed if field == "seed" else float(point[field])
  assert {own(n.seed, n.point) for n in good} == set(values) - guilty
  assert {own(row["seed"], row["point"]) for row in bad} == guilty
  assert {row["error"].partition(":")[0] for row in bad} == {
    field if field == "seed" else f"sweep.{field}"
  }
  # What a worker is given says nothing of the others.
  (part,) = make_parts(good, Path())
  assert complete({**plan, "points": (), "grid": {}})
  assert {n.seed for n in part.networks.values()} == {n.seed for n in good}


def test_fields_that_leave_shapes_alone_share_a_part(config, tmp_path):
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
  found = _networks(config, points, ["batch_norm"])
  (part,) = make_parts(found, tmp_path)
  assert list(part.networks.values()) == found
  apart = _networks(
    config, [{"model.width": w} for w in (8, 9)], ["batch_norm"]
  )
  assert [len(p.networks) for p in make_parts(apart, tmp_path)] == [2, 2]
  parts = make_parts(found, tmp_path, at_most=4)
  assert max(len(p.networks) for p in parts) <= 4
  assert [n for p in parts for n in p.networks.values()] == found


def test_a_part_is_read_as_it_was_written(config, tmp_path):
  points = [{"l2": 0.5, "norm.epsilon": 1e-3}, {"l2": 0.25}]
  plan = planned(config, points, ["batch_norm"])
  found = make_networks(plan, arms=["batch_norm"])[0]
  (part,) = make_parts(found, tmp_path)
  write_parts([part], plan)
  json.loads((part.folder / "part.json").read_text())  # and nothing else
  read, networks = read_part(part.folder)
  assert (read["grid"], read["points"]) == ({}, ())
  assert list(read["arms"]) == ["batch_norm"]
  assert networks == found
  told = json.loads((part.folder / "part.json").read_text())
  del told["config"]["probe_split"], told["config"]["schedule"]
  (part.folder / "part.json").write_text(json.dumps(told))  # of before them
  assert read_part(part.folder) == (read, networks)
  assert len(groups(networks)) == 1
  every = by_key(found)
  assert found_parts(every, tmp_path) == [(part, True)]
  some = dict(list(every.items())[1:])
  ((left, whole),) = found_parts(some, tmp_path)
  assert (list(left.networks.values()), whole) == (found[1:], False)
  assert found_parts({}, tmp_path) == []
  (part.folder / "part.json").write_text("{")
  assert found_parts(every, tmp_path) == []


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
      rngs={"dropout": jax.random.key(1), "noise": jax.random.key(2)},
    )[0]

  assert jax.eval_shape(shapes, jax.numpy.float32(1e-3)).shape == (64, 10)


@pytest.mark.parametrize(
  ("name", "networks", "programs"),
  [("learning_rates", 200, 1), ("norms", 26, 5)],
)
def test_the_sweeps_that_come_with_it_are_valid(name, networks, programs):
  module = importlib.import_module(f"configs.sweeps.{name}")
  config = module.get_config("smoke")
  assert isinstance(config, ConfigDict)
  plan = planned(config.to_dict(), collect(module.sweep))
  found, wrong = make_networks(plan)
  assert (len(found), wrong) == (networks, [])
  assert len(groups(found)) == programs


def test_a_dry_run_of_a_plan_has_its_networks(config):
  points = [{"model.width": w, "l2": l2} for w in (8, 9) for l2 in (0.0, 0.1)]
  points.append({"model.width": 9, "l2": 0.3})
  found = dry_run.estimate(planned(config, points), timed=False)
  assert [program.parts for program in found.programs] == 2 * [(4,), (6,)]
