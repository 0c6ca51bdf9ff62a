"""Optimizers by name, from optax, every hyperparameter an argument."""

from collections.abc import Callable
from typing import Any

import optax


def sgd(
  learning_rate: Any, momentum: float = 0.0, nesterov: bool = False
) -> optax.GradientTransformation:
  """`optax.sgd`; a momentum of 0 is none, and keeps no state."""
  return optax.sgd(learning_rate, momentum or None, nesterov)


def rmsprop(
  learning_rate: Any,
  decay: float = 0.9,
  eps: float = 1e-8,
  initial_scale: float = 0.0,
  eps_in_sqrt: bool = True,
  centered: bool = False,
  momentum: float = 0.0,
  nesterov: bool = False,
  bias_correction: bool = False,
) -> optax.GradientTransformation:
  """`optax.rmsprop`; a momentum of 0 is none, and keeps no state."""
  return optax.rmsprop(
    learning_rate,
    decay,
    eps,
    initial_scale,
    eps_in_sqrt=eps_in_sqrt,
    centered=centered,
    momentum=momentum or None,
    nesterov=nesterov,
    bias_correction=bias_correction,
  )


# The arguments are optax's own. RMSprop as published in 2016 has epsilon
# outside the square root: eps_in_sqrt=False. Where two entries' defaults for an
# argument differ, a config has the first one's (see `bnjax.lab.config.base`).
OPTIMIZERS: dict[str, Callable[..., optax.GradientTransformation]] = {
  "adam": optax.adam,
  "adamw": optax.adamw,
  "rmsprop": rmsprop,
  "sgd": sgd,
  "lion": optax.lion,
  "adagrad": optax.adagrad,
}
