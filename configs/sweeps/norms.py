"""Norm x its settings: a sweep whose points have fields of their own.

Decay and epsilon share a program with all else that is equal; the norm, and
how many ghost groups, do not.

  python scripts/sweep.py --config=configs/sweeps/norms.py:mnist5k
"""

import itertools

from bnjax.lab.config import base, finish, log_space, parse
from bnjax.lab.results import Rules


def get_config(arg="mnist5k"):
  """A small MLP from a plain initialization."""
  options = parse(arg, dataset="mnist5k")
  config = base(model="mlp", optimizer="sgd")
  config.dataset.name = options.dataset
  config.model.update(width=100, depth=2, init="he")
  config.optimizer.learning_rate = 0.1
  config.batch_size = 60
  config.steps = 500
  config.seeds = 3
  config.arms = {"mlp": {}}
  return finish(config, options)


def get_rules(config):
  """The best is that of the highest validation accuracy."""
  return Rules(title="Norms and their settings")


def sweep(add):
  """The settings that each norm takes."""
  add({"norm.name": "none"})
  for decay, epsilon in itertools.product(
    (0.5, 0.9, 0.99), log_space(1e-5, 1e-1, 3)
  ):
    add({"norm.decay": decay, "norm.epsilon": epsilon})
  for groups in (2, 5, 10):
    add({"norm.name": "ghost_batch_norm", "norm.ghost_groups": groups})
