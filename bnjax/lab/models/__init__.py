"""Models by name, built from the groups of a config."""

from collections.abc import Callable
from typing import Any

import flax.linen as nn

from bnjax.lab.errors import UserError, choice
from bnjax.lab.models.arguments import (
  ACTIVATIONS,
  check_at_least,
  check_dropout_rate,
)
from bnjax.lab.models.deep import deep
from bnjax.lab.models.inception import bn_inception, inception, small_inception
from bnjax.lab.models.initializers import INITIALIZERS
from bnjax.lab.models.lenet import lenet
from bnjax.lab.models.mlp import MLP
from bnjax.lab.models.norms import NORMS, BatchNormalization, Norm
from bnjax.lab.registry import lookup

PLACEMENTS = ("before", "after")
DERIVATIVES = ("corrected", "as_published")


def mlp(
  *,
  num_classes: int,
  norm: Norm,
  width: int = 256,
  depth: int = 2,
  activation: str = "relu",
  init: str = "he",
  init_scale: Any = 1.0,
  placement: str = "before",
  dropout_rate: Any = 0.0,
  use_bias: bool = True,
  derivative: str = "corrected",
) -> MLP:
  """The `MLP` that these names describe; see its attributes.

  Args:
    num_classes: number of logits.
    norm: the normalization, see `bnjax.lab.models.norms`.
    width: units in each hidden layer.
    depth: number of hidden layers.
    activation: a name in `ACTIVATIONS`.
    init: a name in `INITIALIZERS`, for every kernel.
    init_scale: multiplies the initial kernels; for `normal` it is their
      standard deviation, for `uniform` their largest magnitude.
    placement: the norm `before` or `after` the activation.
    dropout_rate: probability to drop a hidden unit.
    use_bias: whether the hidden layers have a bias.
    derivative: `corrected`, or `as_published` for the backward pass of the
      2016 code (batch norm before the activation only).

  Raises:
    UserError: a name is unknown, or a value out of its range.
  """
  check_at_least("model.width", width, 1)
  check_at_least("model.depth", depth, 0)
  check_dropout_rate(dropout_rate)
  make_init = lookup("model.init", init, INITIALIZERS)
  after = choice("model.placement", placement, PLACEMENTS) == "after"
  published = choice("model.derivative", derivative, DERIVATIVES) != "corrected"
  if published and (after or not isinstance(norm, BatchNormalization)):
    raise UserError(
      "model.derivative: 'as_published' is the backward pass of a network with "
      "norm.name='batch_norm' and model.placement='before'"
    )
  return MLP(
    num_classes=num_classes,
    width=width,
    depth=depth,
    activation=lookup("model.activation", activation, ACTIVATIONS),
    kernel_init=make_init(init_scale),
    norm=norm,
    norm_after=after,
    dropout_rate=dropout_rate,
    use_bias=use_bias,
    published_derivative=published,
  )


MODELS: dict[str, Callable[..., nn.Module]] = {
  "bn_inception": bn_inception,
  "deep": deep,
  "inception": inception,
  "lenet": lenet,
  "mlp": mlp,
  "small_inception": small_inception,
}

__all__ = [
  "ACTIVATIONS",
  "INITIALIZERS",
  "MODELS",
  "NORMS",
  "bn_inception",
  "deep",
  "inception",
  "lenet",
  "mlp",
  "small_inception",
]
