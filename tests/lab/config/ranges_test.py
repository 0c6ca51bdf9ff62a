"""Every number of a config has a range, whoever sets it, and is finite."""

import math

import pytest

from bnjax.lab.config import GROUPS, Seed, base, complete, resolve
from bnjax.lab.errors import UserError
from bnjax.lab.registry import Range, check_value, parameters

WRONG = [
  ("l2", -1.0, "l2: -1.0 is too small; at least 0"),
  ("l2", math.nan, "l2: nan is not a finite number"),
  ("l2", 10**39, f"l2: {10**39} is too large; at most 3.402823"),
  ("seed", -1, "seed: -1 is too small; at least 0"),
  ("seed", 2**32, "seed: 4294967296 is too large; at most 4294967295"),
  ("seeds", 0, "seeds: 0 is too small; at least 1"),
  ("seeds", 10**7, "seeds: 10000000 is too large; at most 100000"),
  ("steps", 2**31, "steps: 2147483648 is too large; at most 2147483647"),
  ("batch_size", 0, "batch_size: 0 is too small; at least 1"),
  ("eval_every", 0, "eval_every: 0 is too small; at least 1"),
  ("probe_examples", 0, "probe_examples: 0 is too small; at least 1"),
  ("probe_split", "all", "probe_split: 'all' is not known; Choices: test, tr"),
  ("trained", (), "length of trained: 0 is too small; at least 1"),
  ("trained_weights", -1, "trained_weights: -1 is too small; at least 0"),
  ("population_batches", -1, "population_batches: -1 is too small; at least 0"),
  ("sampler", "shuffle", "sampler: 'shuffle' is not known; Choices: epoch, f"),
  ("precision", "float16", "precision: 'float16' is not known"),
  ("dataset.examples", -1, "dataset.examples: -1 is too small; at least 0"),
  ("machine.memory_gb", math.nan, "machine.memory_gb: nan is not a finite"),
  ("machine.memory_gb", 0.0, "machine.memory_gb: 0.0 is too small; more than"),
  ("machine.max_networks", -1, "machine.max_networks: -1 is too small"),
  ("machine.across", "both", "machine.across: 'both' is not known"),
  ("optimizer.learning_rate", math.inf, "learning_rate: inf is not a finite"),
  ("optimizer.learning_rate", -1.0, "learning_rate: -1.0 is too small"),
  ("optimizer.b1", 1.0, "optimizer.b1: 1.0 is too large; less than 1"),
  ("optimizer.weight_decay", -1.0, "weight_decay: -1.0 is too small"),
  ("optimizer.weight_decay_of", "norms", "'norms' is not known; Choices: all"),
  ("norm.decay", 1.0, "norm.decay: 1.0 is too large; less than 1"),
  ("norm.decay", 2, "norm.decay: 2.0 is too large; less than 1"),
  ("norm.epsilon", -1.0, "norm.epsilon: -1.0 is too small; at least 0"),
  ("norm.ghost_groups", 0, "norm.ghost_groups: 0 is too small; at least 1"),
  ("norm.freeze_start", -1, "norm.freeze_start: -1 is too small; at least 0"),
  ("model.channels", (4.5, 8), "model.channels: (4.5, 8) is of type tuple"),
  ("model.channels", (4, "a"), "is to be a tuple of int"),
  ("model.channels", (), "length of model.channels: 0 is too small; at least"),
  ("model.channels", (6, 0), "model.channels[1]: 0 is too small; at least 1"),
  ("model.dropout_rate", 1.0, "model.dropout_rate: 1.0 is too large; less tha"),
  ("schedule.rate", 0.0, "schedule.rate: 0.0 is too small; more than 0"),
  ("schedule.decay_steps", 0, "schedule.decay_steps: 0 is too small"),
  ("augment.contrast", -1.0, "augment.contrast: -1.0 is too small"),
]


def _config(**more):
  config = base(model="lenet", norm="ghost_batch_norm", optimizer="adamw")
  config.augment.name, config.schedule.name = "photometric", "exponential"
  return config.to_dict() | {"arms": {"a": {}}} | more


def _set(config, field, value):
  group, dot, name = field.rpartition(".")
  own = {**config.get(group, {}), name: value} if dot else value
  return config | {(group if dot else field): own}


@pytest.mark.parametrize(("field", "value", "said"), WRONG)
def test_what_is_out_of_range_is_named(field, value, said):
  """In the config, an arm and, but for the machine, at a point."""
  group, dot, name = field.rpartition(".")
  point = {group: {name: value}} if dot else {field: value}
  found = []
  wrong = complete(_config(arms={"a": {}, "b": point}))
  for check in (
    lambda: resolve(complete(_set(_config(), field, value)), "a"),
    lambda: resolve(wrong, "b"),
    lambda: resolve(wrong, "a", point),
  ):
    with pytest.raises(UserError) as error:
      check()
    found.append(str(error.value))
  assert said in found[0]
  if not field.startswith("machine"):
    assert all(said.partition(": ")[2] in text for text in found)
  assert not any("\n" in text for text in found)


def test_deep_networks_and_boundaries():
  config = _config(model={"name": "mlp"}, schedule={"name": "piecewise"})
  for field, value, said in (
    ("model.depth", 5000, "model.depth: 5000 is too large; at most 1000"),
    ("model.width", 0, "model.width: 0 is too small; at least 1"),
    ("schedule.boundaries", (1.5,), "is to be a tuple of int"),
    ("schedule.boundaries", (0,), "schedule.boundaries[0]: 0 is too small"),
  ):
    with pytest.raises(UserError) as error:
      resolve(complete(_set(config, field, value)), "a")
    assert said in str(error.value)


def test_every_number_of_our_entries_has_a_range():
  """But for scales, which may be anything finite."""
  bare = {
    f"{group}.{name}"
    for group, own in GROUPS.items()
    for entry in own.table.values()
    for name, parameter in parameters(entry, own.given).items()
    if parameter.annotation in (int, float, int | None, float | None)
  }
  assert bare == {"loss.scale", "norm.d_end", "norm.r_end"}


def test_the_ends_of_a_range_belong_to_it_or_not():
  whole = Range(least=0, below=1)
  assert check_value("f", 2**32 - 1, Seed) == 2**32 - 1
  from typing import Annotated

  kind = Annotated[float, whole] | None
  assert check_value("f", 0, kind) == 0.0
  assert check_value("f", None, kind) is None
  with pytest.raises(UserError, match="too large; less than 1"):
    check_value("f", 1, kind)
  with pytest.raises(UserError, match=r"f\[1\]: nan is not a finite number"):
    check_value("f", (1.0, math.nan), object)


@pytest.mark.parametrize(
  ("config", "said"),
  [
    ({"lerning_rate": 3.0}, "not known; did you mean optimizer.learning_rate?"),
    ({"weight_decay": 0.1}, "not known; did you mean optimizer.weight_decay?"),
    (
      {"memory_gb": 8.0},
      "config.memory_gb: 'memory_gb' is not known; did you "
      "mean machine.memory_gb?",
    ),
    ({"stepz": 3}, "did you mean 'steps'?"),
    ({"arms": {"": {}}}, "arms: '' is no name"),
    ({"arms": {"a": 3}}, "arms.a: 3 is no group of fields"),
    ({"arms": None}, "arms: None is no group of names"),
    ({"probes": {"p": ()}}, "probes.p: () is no group of fields"),
    ({"grid": 3}, "grid: 3 is no group of names"),
    ({"points": 3}, "points: 3 is no group of names"),
    ({"points": (3,)}, "points.0: 3 is no group of fields"),
  ],
)
def test_what_is_no_config_is_said(config, said):
  with pytest.raises(UserError) as error:
    complete(config)
  assert said in str(error.value)
