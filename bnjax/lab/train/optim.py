"""Optimizers by name, from optax, every hyperparameter an argument."""

import functools
import inspect
from collections.abc import Callable

import optax

from bnjax.lab.registry import Traced

Optimizer = Callable[..., optax.GradientTransformation]


def sgd(
  learning_rate: Traced[float], momentum: float = 0.0, nesterov: bool = False
) -> optax.GradientTransformation:
  """`optax.sgd`; a momentum of 0 is none, and keeps no state."""
  return optax.sgd(learning_rate, momentum or None, nesterov)


def rmsprop(
  learning_rate: Traced[float],
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


def _traced_rate(optimizer: Optimizer) -> Optimizer:
  """The optimizer with its learning rate annotated as `Traced`."""

  @functools.wraps(optimizer)
  def same(*args: object, **kwargs: object) -> optax.GradientTransformation:
    return optimizer(*args, **kwargs)

  signature = inspect.signature(optimizer)
  parameters = dict(signature.parameters)
  rate = parameters["learning_rate"]
  parameters["learning_rate"] = rate.replace(annotation=Traced[float])
  whole = signature.replace(parameters=list(parameters.values()))
  same.__signature__ = whole  # type: ignore[attr-defined]
  return same


# The arguments and their defaults are optax's own. RMSprop as published in 2016
# has epsilon outside the square root: eps_in_sqrt=False.
OPTIMIZERS: dict[str, Optimizer] = {
  "adam": _traced_rate(optax.adam),
  "adamw": _traced_rate(optax.adamw),
  "rmsprop": rmsprop,
  "sgd": sgd,
  "lion": _traced_rate(optax.lion),
  "adagrad": _traced_rate(optax.adagrad),
}
