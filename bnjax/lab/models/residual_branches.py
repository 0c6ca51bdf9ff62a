"""How the branches of residual networks start: as they are, SkipInit, Fixup.

What the models here share has these fields, as `branch` of a model names it:

- `constant`: nothing multiplies a branch but `branch_scale`.
- `skip_init`: besides it a learned scalar that starts at 0.
- `fixup`: besides it a learned scalar that starts at 1. The branch's last
  kernel starts at zero, the others multiplied by
  `depth^(-1 / (2 branch_layers - 2))`, where `depth` is the number of blocks;
  the classifier's starts at zero. Scalar biases before each activation and each
  kernel but the first take the place of layers' own. These scalars learn at a
  tenth of the rate of gradient descent, with or without momentum: each is √.1
  times its parameter. (Of an optimizer that divides by the gradient's size,
  such as Adam, it is √.1 of the rate.)

Functions are called in the compact method of a model, whose fields they read.

References:
  De and Smith (2020), arXiv:2002.10444, of SkipInit; Zhang, Dauphin and Ma
  (2019), arXiv:1901.09321, of Fixup.
"""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from bnjax.lab.models import layers
from bnjax.lab.models.arguments import activation_of, kernel_init_of
from bnjax.lab.models.initializers import Initializer
from bnjax.lab.models.layers import Tap
from bnjax.lab.models.norms import Norm

BRANCHES = ("constant", "skip_init", "fixup")
_SLOW = 0.1  # of the learning rate, for Fixup's biases and multipliers


def kernel_init(model: Any, layer: int, depth: int) -> Initializer:
  """The initializer of the kernel of a branch's `layer`, of `depth` blocks."""
  own = kernel_init_of(model)
  if model.branch != "fixup":
    return own
  if layer + 1 == model.branch_layers:
    return nn.initializers.zeros
  factor = depth ** (-1 / (2 * model.branch_layers - 2))
  return lambda key, shape, dtype=float: factor * own(key, shape, dtype)


def activate(
  model: Any,
  x: jax.Array,
  place: str,
  *,
  norm: Norm | None,
  train: bool,
  mask: jax.Array | None,
  last: bool = False,
) -> jax.Array:
  """Norm, activation and Fixup's biases before and after it.

  Args:
    model: whose fields say which.
    x: `[n, ..., features]`.
    place: of the names "norm_PLACE", "bias_PLACE_before", "bias_PLACE_after",
      and of the tap of what enters the activation, "preactivation_PLACE".
    norm: what comes first; None for nothing.
    train: see `layers.normalize`.
    mask: see `layers.normalize`.
    last: whether no kernel follows at once, and so no bias.
  """
  tap, act = Tap(name=f"preactivation_{place}"), activation_of(model)

  def biased(x: jax.Array) -> jax.Array:
    x = act(bias(model, x, f"bias_{place}_before"))
    return x if last else bias(model, x, f"bias_{place}_after")

  return layers.finish(
    {f"norm_{place}": x},
    norm=norm,
    placement="before",
    activation=biased,
    train=train,
    mask=mask,
    tap=tap,
  )


def scale(model: Any, x: jax.Array, name: str) -> jax.Array:
  """A branch times all that multiplies it; `name` is the learned scalar's."""
  factor = jnp.asarray(model.branch_scale, x.dtype)
  if model.branch == "skip_init":
    factor = factor * _scalar(model, name, 0.0).astype(x.dtype)
  if model.branch == "fixup":
    factor = factor * _scalar(model, name, 1.0, _SLOW).astype(x.dtype)
  return x * factor


def bias(model: Any, x: jax.Array, name: str) -> jax.Array:
  """With a scalar bias of Fixup, if the model has these."""
  if model.branch != "fixup":
    return x
  return x + _scalar(model, name, 0.0, _SLOW).astype(x.dtype)


def classify(model: Any, x: jax.Array) -> jax.Array:
  """The linear classifier of `x`, `[n, features]`, named "output"."""
  init = nn.initializers.zeros if model.branch == "fixup" else None
  return layers.dense(model, x, model.num_classes, "output", kernel_init=init)


def _scalar(
  model: Any, name: str, start: float, rate: float = 1.0
) -> jax.Array:
  """A learned scalar, at a share of gradient descent's rate.

  It is √rate times a parameter: of the scalar's derivative d the parameter
  has √rate d, and a step along that moves the scalar by √rate √rate d.
  """
  init = nn.initializers.constant(start / rate**0.5)
  learned: jax.Array = rate**0.5 * model.param(name, init, ())
  return learned
