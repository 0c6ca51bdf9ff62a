"""The fields that every experiment's config has, and their defaults.

A config file starts from `base()` and sets what its experiment is about. A
group, such as `norm`, is a name; its arguments are unset, and are those of what
it names until somebody sets them.
"""

import dataclasses
import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from ml_collections import ConfigDict

from bnjax.lab.config.groups import GROUPS, check_field
from bnjax.lab.config.resolve import override
from bnjax.lab.errors import UserError, choice
from bnjax.lab.registry import is_outside
from bnjax.lab.results import Rules

# Sets that have to be there.
_FETCHED = ("mnist", "cifar10", "cifar10_jpeg", "imagenet2012")
NO_NORM = {"norm": {"name": "none"}}  # an arm without normalization


def base(
  *,
  model: str = "mlp",
  norm: str = "batch_norm",
  optimizer: str = "sgd",
  loss: str = "cross_entropy",
) -> ConfigDict:
  """A config with every field at its default, and the arguments unset.

  Args:
    model: a name in `bnjax.lab.models.MODELS`, or "package.module:object".
    norm: a name in `bnjax.lab.models.NORMS`, likewise.
    optimizer: a name in `bnjax.lab.train.optim.OPTIMIZERS`, likewise.
    loss: a name in `bnjax.lab.train.losses.LOSSES`, likewise.
  """
  config = ConfigDict()
  config.dataset = {
    "name": "mnist",
    "transform": "none",
    "examples": 0,  # of each split at most; 0: all
    "center": True,  # subtract the mean
  }
  chosen = {
    "model": model,
    "norm": norm,
    "optimizer": optimizer,
    "schedule": "constant",
    "augment": "none",
    "loss": loss,
  }
  for group, name in chosen.items():
    if not is_outside(name):
      choice(f"{group}.name", name, GROUPS[group].table)
    config[group] = {"name": name}
  config.optimizer.learning_rate = 1e-2
  config.trained = ("*",)  # these parameters, by patterns of their names
  config.trained_weights = 0  # so many of each unit of their kernels; 0: all
  config.l2 = 0.0  # the loss has ½ l2 Σ w², over kernels
  config.sampler = "epoch"
  config.batch_size = 128
  config.steps = 1000
  config.eval_every = 100
  config.evaluate_at = ()  # steps that evaluate, and the last; (): eval_every
  config.stream = False  # read the data while it is used, not beforehand
  config.seeds = 5  # how many
  config.seed = 0  # the first
  config.precision = "float32"
  config.machine = {  # what it allows: no part of what is trained
    "memory_gb": 4.0,  # for the networks of one program
    "max_networks": 0,  # in one program; 0: as many as memory_gb allows
    # networks together: "vmap"; one after the other: "map"; the faster: "auto"
    "across": "auto",
    "workers": 1,  # that read and decode what is streamed; of each seed
  }
  config.interleave = False  # the programs take turns, to time them fairly
  config.population_batches = 0  # of Algorithm 2; 0: running statistics only
  config.population_estimator = "paper"  # m / (m - 1) of variances; or "biased"
  config.predictions = False  # leave predictions.jsonl of the test set
  config.save_params = False  # leave the trained networks in params/
  config.probes = {}
  config.probe_every = 0  # steps; 0: with every evaluation
  config.probe_examples = 1000  # examples that probes look at, the first ones
  config.probe_split = "train"  # of this split
  config.arms = {"batch_norm": {}, "no_batch_norm": NO_NORM}
  config.grid = {}  # fields, nested as here, and values: each arm at each point
  config.points = ()  # {"norm.decay": 0.5, "seed": 3}, ...: with each of these
  return config


class Options(NamedTuple):
  """What the argument of a config file says: `FILE:dataset,smoke`."""

  dataset: str
  smoke: bool


def parse(argument: str | None, *, dataset: str = "mnist") -> Options:
  """Reads a config file's argument: a data set, `smoke`, or both.

  Args:
    argument: words separated by commas.
    dataset: the data set if none is named; a smoke run then takes one that
      needs no network.
  """
  words = [word for word in (argument or "").split(",") if word]
  named = [word for word in words if word != "smoke"]
  smoke = "smoke" in words
  if len(named) > 1:
    raise UserError(
      f"--config=...:{argument}: {named[1]!r} is one data set too many; write "
      "FILE:dataset, FILE:smoke or FILE:dataset,smoke"
    )
  default = "mnist5k" if smoke and dataset in _FETCHED else dataset
  return Options(named[0] if named else default, smoke)


# The most of a config, or of an arm, that is cut down.
_SMOKE = {"steps": 20, "batch_size": 64, "seeds": 2, "population_batches": 2}


def finish(config: ConfigDict, options: Options) -> ConfigDict:
  """The config as asked for: of full size, or cut down with nothing left out.

  Returns:
    A copy without aliased subtrees, as arms written with the same dict have:
    setting a field of one would set the other's.
  """
  config = _unshared(config)
  if not options.smoke:
    return config
  for part in (config, *config.arms.values()):
    for field, most in _SMOKE.items():
      if field in part:
        part[field] = min(part[field], most)
    if "evaluate_at" in part:
      kept = (step for step in part.evaluate_at if step <= _SMOKE["steps"])
      part.evaluate_at = tuple(kept)
  config.eval_every = min(config.eval_every, max(1, config.steps // 2))
  config.probe_every = min(config.probe_every, config.eval_every)
  return config


def log_space(low: float, high: float, points: int) -> tuple[float, ...]:
  """Numbers from `low` to `high`, each the same multiple of the one before.

  >>> log_space(0.1, 10.0, 3)
  (0.1, 1.0, 10.0)
  """
  ratio = math.log(high / low) / (points - 1)
  values = (low * math.exp(ratio * i) for i in range(points))
  return tuple(float(f"{value:.4g}") for value in values)


def _unshared(config: ConfigDict) -> ConfigDict:
  copy = ConfigDict()
  for key, value in config.items():
    nested = isinstance(value, ConfigDict)
    copy[key] = _unshared(value) if nested else value
  return copy


def complete(config: Mapping[str, Any]) -> dict[str, Any]:
  """A config as nested dicts, every field that it lacks at its default.

  Raises:
    UserError: a field that there is not, or a value of another type or out of
      its range.

  >>> complete({"steps": 5, "l2": 1})["l2"]
  1.0
  """
  default, given = plain(base()), plain(config)
  rules = {field.name for field in dataclasses.fields(Rules)}
  for key in given:
    if key in rules:
      raise UserError(
        f"config.{key}: is no field of a config: it says how a run is judged, "
        "so let get_rules(config) return it"
      )
    check_field(f"config.{key}", key, default)
  for key, kind in _FREE.items():
    if key in given:
      _check_free(key, given[key], kind)
  typed = {k: v for k, v in given.items() if k not in _FREE}
  whole = override("", default, typed)
  return {k: given[k] if k in _FREE and k in given else whole[k] for k in whole}


# Fields whose own fields are names that the experiment chooses: groups of
# groups, groups, or lists of groups.
_FREE: dict[str, type] = {
  "arms": dict,
  "probes": dict,
  "grid": object,
  "points": tuple,
}


def _check_free(field: str, value: Any, kind: type) -> None:
  """Raises UserError unless it is made of groups, by names."""
  if kind is tuple and isinstance(value, tuple | list):
    value = dict(zip(map(str, range(len(value))), value, strict=True))
  elif not isinstance(value, dict):
    raise UserError(f"{field}: {value!r} is no group of names")
  for name, own in value.items():
    if not isinstance(name, str) or not name.strip() or not name.isprintable():
      raise UserError(f"{field}: {name!r} is no name; give it letters")
    if kind is not object and not isinstance(own, dict):
      raise UserError(f"{field}.{name}: {own!r} is no group of fields")


def plain(config: Any) -> Any:
  """Nested dicts, tuples and Python's numbers of all that stands for them."""
  if isinstance(config, ConfigDict):
    config = config.to_dict()
  if isinstance(config, Mapping):
    return {key: plain(value) for key, value in config.items()}
  if isinstance(config, tuple | list):
    return tuple(map(plain, config))
  return config.item() if isinstance(config, np.generic) else config
