"""The fields that every experiment's config has, and their defaults.

A config file starts from `base()` and sets what its experiment is about. Each
of the groups below is a name and the arguments of the entry it chooses from a
table; the arguments of all entries lie side by side, so that changing the name
alone is enough. Their defaults are those of the entries themselves.
"""

import inspect
import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from ml_collections import ConfigDict

from bnjax.lab.build import TABLES
from bnjax.lab.errors import UserError, choice

# Sets that have to be there.
_FETCHED = ("mnist", "cifar10", "cifar10_jpeg", "imagenet2012")
NO_NORM = {"norm": {"name": "none"}}  # an arm without normalization
_PLAIN = (bool, int, float, str, tuple)


def base(
  *,
  model: str = "mlp",
  norm: str = "batch_norm",
  optimizer: str = "sgd",
  loss: str = "cross_entropy",
) -> ConfigDict:
  """A config with every field, at its default.

  Args:
    model: name in `bnjax.lab.models.MODELS`; its arguments' defaults win over
      those of other models' arguments of the same name.
    norm: name in `bnjax.lab.models.NORMS`, likewise.
    optimizer: name in `bnjax.lab.train.optim.OPTIMIZERS`, likewise.
    loss: name in `bnjax.lab.train.losses.LOSSES`, likewise.

  Returns:
    The config.
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
    config[group] = _group(group, name)
  config.optimizer.learning_rate = 1e-2
  config.l2 = 0.0  # the loss has ½ l2 Σ w², over kernels
  config.sampler = "epoch"
  config.batch_size = 128
  config.steps = 1000
  config.eval_every = 100
  config.stream = False  # read the data while it is used, not beforehand
  config.workers = 1  # that read and decode; of each seed
  config.seeds = 5  # how many
  config.seed = 0  # the first
  config.precision = "float32"
  config.across = "vmap"  # or "map": networks one after the other
  config.max_networks = 0  # in one program; 0: as many as memory_gb allows
  config.memory_gb = 4.0  # for the networks of one program
  config.interleave = False  # the programs take turns, to time them fairly
  config.population_batches = 0  # of Algorithm 2; 0: running statistics only
  config.predictions = False  # leave predictions.jsonl of the test set
  config.save_params = False  # leave the trained networks in params/
  config.probes = {}
  config.probe_every = 0  # steps; 0: with every evaluation
  config.probe_examples = 1000  # training examples that probes look at
  config.arms = {"batch_norm": {}, "no_batch_norm": NO_NORM}
  config.grid = {}  # fields, nested as here, and values: each arm at each point
  return config


class Options(NamedTuple):
  """What the argument of a config file says: `FILE:dataset,smoke`.

  Attributes:
    dataset: name of the data set.
    smoke: whether a run of seconds is wanted.
  """

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


def finish(config: ConfigDict, options: Options) -> ConfigDict:
  """The config as asked for: of full size, or cut down with nothing left out.

  Args:
    config: an experiment's.
    options: of `parse`.

  Returns:
    A copy in which no two fields are one object, as those of arms written with
    the same dict are: setting one of them would set the other.
  """
  config = _unshared(config)
  if not options.smoke:
    return config
  config.steps = min(config.steps, 20)
  config.eval_every = min(config.eval_every, max(1, config.steps // 2))
  config.probe_every = min(config.probe_every, config.eval_every)
  config.batch_size = min(config.batch_size, 64)
  config.seeds = min(config.seeds, 2)
  config.population_batches = min(config.population_batches, 2)
  for arm in config.arms.values():
    if "steps" in arm:
      arm.steps = min(arm.steps, 20)
    if "batch_size" in arm:
      arm.batch_size = min(arm.batch_size, 64)
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


def _group(group: str, name: str) -> dict[str, Any]:
  table = TABLES[group]
  first = table[choice(f"{group}.name", name, table)]
  fields: dict[str, Any] = {"name": name}
  for entry in (first, *table.values()):
    fields |= {k: v for k, v in _defaults(entry).items() if k not in fields}
  return fields


def _defaults(entry: Callable[..., Any]) -> Mapping[str, Any]:
  parameters = inspect.signature(entry).parameters.values()
  return {
    p.name: p.default for p in parameters if isinstance(p.default, _PLAIN)
  }
