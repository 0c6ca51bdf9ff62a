"""Optimizers by name, from optax, every hyperparameter an argument."""

import functools
import inspect
from collections.abc import Callable
from typing import Any, Literal

import optax

from bnjax.lab.registry import NotNegative, Share, Traced
from bnjax.lab.train.losses import kernel_mask

Optimizer = Callable[..., optax.GradientTransformation]
Rate = Traced[NotNegative]


def sgd(
  learning_rate: Rate, momentum: Share = 0.0, nesterov: bool = False
) -> optax.GradientTransformation:
  """`optax.sgd`; a momentum of 0 is none, and keeps no state."""
  return optax.sgd(learning_rate, momentum or None, nesterov)


def rmsprop(
  learning_rate: Rate,
  decay: Share = 0.9,
  eps: NotNegative = 1e-8,
  initial_scale: NotNegative = 0.0,
  eps_in_sqrt: bool = True,
  centered: bool = False,
  momentum: Share = 0.0,
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


# What optax's own arguments take; it annotates none with a range.
_TAKES = {
  "learning_rate": Rate,
  "b1": Share,
  "b2": Share,
  "eps": NotNegative,
  "eps_root": NotNegative,
  "weight_decay": NotNegative,
  "initial_accumulator_value": NotNegative,
}


def _declared(optimizer: Optimizer) -> Optimizer:
  """An optimizer of optax with the ranges of its arguments.

  One that decays weights does so to kernels, as `l2` does, and not to biases or
  norms' parameters; with `weight_decay_of="all"` to all, which is optax's own.
  """

  @functools.wraps(optimizer)
  def same(
    *args: Any, weight_decay_of: str = "kernels", **kwargs: Any
  ) -> optax.GradientTransformation:
    if "mask" in parameters and weight_decay_of == "kernels":
      kwargs.setdefault("mask", kernel_mask)
    return optimizer(*args, **kwargs)

  signature = inspect.signature(optimizer)
  parameters = signature.parameters
  own = [
    parameter.replace(annotation=_TAKES.get(name, parameter.annotation))
    for name, parameter in parameters.items()
    if name != "mask"
  ]
  if "mask" in parameters:
    own.append(
      inspect.Parameter(
        "weight_decay_of",
        inspect.Parameter.KEYWORD_ONLY,
        default="kernels",
        annotation=Literal["kernels", "all"],
      )
    )
  whole = signature.replace(parameters=own)
  same.__signature__ = whole  # type: ignore[attr-defined]
  return same


# The arguments and their defaults are optax's own. RMSprop as published in 2016
# has epsilon outside the square root: eps_in_sqrt=False.
OPTIMIZERS: dict[str, Optimizer] = {
  "adam": _declared(optax.adam),
  "adamw": _declared(optax.adamw),
  "rmsprop": rmsprop,
  "sgd": sgd,
  "lion": _declared(optax.lion),
  "adagrad": _declared(optax.adagrad),
}
