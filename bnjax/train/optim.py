"""Optimizers by name, from optax, every hyperparameter an argument."""

from collections.abc import Callable

import optax

# The arguments are optax's own. RMSprop as published in 2016 has epsilon
# outside the square root: eps_in_sqrt=False.
OPTIMIZERS: dict[str, Callable[..., optax.GradientTransformation]] = {
  "adagrad": optax.adagrad,
  "adam": optax.adam,
  "adamw": optax.adamw,
  "lion": optax.lion,
  "rmsprop": optax.rmsprop,
  "sgd": optax.sgd,
}
