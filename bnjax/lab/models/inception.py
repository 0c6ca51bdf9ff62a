"""Inception with batch norm, its control, and the same for small images."""

from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp

from bnjax.lab.errors import UserError, choice
from bnjax.lab.models.arguments import (
  ACTIVATIONS,
  check_at_least,
  check_dropout_rate,
)
from bnjax.lab.models.inception_blocks import FIGURE_5, Row, Style
from bnjax.lab.models.inception_network import Inception
from bnjax.lab.models.initializers import INITIALIZERS
from bnjax.lab.models.norms import NoNorm, Norm
from bnjax.lab.registry import lookup

PLACEMENTS = ("before", "after")
BIASES = ("auto", "always", "never")
# None: as the images and parameters are, which keeps float64.
DTYPES = {"float32": None, "bfloat16": jnp.bfloat16}


def bn_inception(
  *,
  num_classes: int,
  norm: Norm,
  activation: str = "relu",
  init: str = "he",
  init_scale: Any = 1.0,
  placement: str = "before",
  bias: str = "auto",
  dropout_rate: Any = 0.0,
  local_response_norm: bool = False,
  per_activation_blocks: int = 0,
  dtype: str = "float32",
) -> Inception:
  """BN-Inception, for images of 224x224.

  Its convolutions have 10,143,384 weights, its classifier of 1000 classes
  1,025,000, and batch norm 9,952 scales and as many biases: 11.2 million in
  all, where the paper says 13.6. BN-x5 and BN-x30 are this network with another
  learning rate, and the six of the ensemble this one with a larger
  `init_scale`, a `dropout_rate` of 0.05 or 0.1, or `per_activation_blocks`.

  Args:
    num_classes: number of logits.
    norm: the normalization, see `bnjax.lab.models.norms`.
    activation: a name in `ACTIVATIONS`.
    init: a name in `INITIALIZERS`, for every kernel; the paper names none.
    init_scale: multiplies the initial kernels.
    placement: the norm `before` or `after` the activation.
    bias: whether convolutions have one: `always`, `never`, or `auto`: unless a
      norm follows them at once, which makes it redundant.
    dropout_rate: probability to drop a feature before the classifier.
    local_response_norm: local response normalization in the first layers,
      which the paper removed together with dropout.
    per_activation_blocks: how many of the last blocks have per-activation
      instead of convolutional batch norm; the paper does not say how many.
    dtype: `float32`, or `bfloat16` for the activations; parameters and
      statistics are float32 either way.

  Raises:
    UserError: a name is unknown, or a value out of its range.

  Reference:
    Ioffe and Szegedy 2015, arXiv:1502.03167, section 4.2 and Figure 5.
  """
  return Inception(
    num_classes=num_classes,
    style=_style(norm, activation, init, init_scale, placement, bias, dtype),
    **_regularization(dropout_rate, local_response_norm, per_activation_blocks),
  )


def inception(
  *,
  num_classes: int,
  norm: Norm,
  activation: str = "relu",
  init: str = "he",
  init_scale: Any = 1.0,
  placement: str = "before",
  bias: str = "auto",
  dtype: str = "float32",
) -> Inception:
  """Inception, what BN-Inception is compared with: `norm` is to be `none`.

  It has what the paper removes thanks to batch norm: 40% dropout before the
  classifier, and local response normalization. With batch norm as its `norm`
  it is BN-Baseline. The arguments are those of `bn_inception`.
  """
  return bn_inception(
    num_classes=num_classes,
    norm=norm,
    activation=activation,
    init=init,
    init_scale=init_scale,
    placement=placement,
    bias=bias,
    dropout_rate=0.4,
    local_response_norm=True,
    dtype=dtype,
  )


def small_inception(
  *,
  num_classes: int,
  norm: Norm,
  activation: str = "relu",
  init: str = "he",
  init_scale: Any = 1.0,
  placement: str = "before",
  bias: str = "auto",
  dropout_rate: Any = 0.0,
  local_response_norm: bool = False,
  per_activation_blocks: int = 0,
  width_factor: float = 1 / 8,
  blocks: tuple[str, ...] = (),
  dtype: str = "float32",
) -> Inception:
  """BN-Inception for images of 32x32, which trains on a CPU.

  All blocks, with an eighth of the features, on grids of 16x16, 8x8 and 4x4:
  162,442 parameters for 10 classes and 3 colors, 8.5 million multiplications an
  image. On two CPU cores an epoch of 45,000 took two minutes.

  Args:
    width_factor: how many times the features of Figure 5 every convolution
      has, rounded.
    blocks: names of the blocks of Figure 5 to keep, in its order, such as
      `("3a", "3c", "5b")`: compiled in a third of the time; () for all ten.
    num_classes: this and the others are those of `bn_inception`.
    norm: see there.
    activation: see there.
    init: see there.
    init_scale: see there.
    placement: see there.
    bias: see there.
    dropout_rate: see there.
    local_response_norm: see there.
    per_activation_blocks: see there.
    dtype: see there.

  Raises:
    UserError: a name is unknown, or a value out of its range.
  """
  if width_factor <= 0:
    raise UserError(
      f"model.width_factor: {width_factor} is not positive; the paper's is 1"
    )
  return Inception(
    num_classes=num_classes,
    style=_style(norm, activation, init, init_scale, placement, bias, dtype),
    width_factor=width_factor,
    small_images=True,
    rows=_rows(blocks),
    **_regularization(dropout_rate, local_response_norm, per_activation_blocks),
  )


def _style(
  norm: Norm,
  activation: str,
  init: str,
  init_scale: Any,
  placement: str,
  bias: str,
  dtype: str,
) -> Style:
  after = choice("model.placement", placement, PLACEMENTS) == "after"
  redundant = not after and not isinstance(norm, NoNorm)
  use_bias = {"auto": not redundant, "always": True, "never": False}
  return Style(
    norm=norm,
    activation=lookup("model.activation", activation, ACTIVATIONS),
    kernel_init=lookup("model.init", init, INITIALIZERS)(init_scale),
    norm_after=after,
    use_bias=use_bias[choice("model.bias", bias, BIASES)],
    dtype=DTYPES[choice("model.dtype", dtype, DTYPES)],
  )


def _rows(blocks: Sequence[str]) -> tuple[Row, ...]:
  table = {row.name: row for row in FIGURE_5}
  chosen = [choice("model.blocks", name, table) for name in blocks]
  in_order = [name for name in table if name in chosen]
  if chosen and chosen != in_order:
    raise UserError(
      f"model.blocks: {', '.join(chosen)} is not in the order of Figure 5, "
      f"each once: {', '.join(in_order)}"
    )
  return tuple(table[name] for name in chosen or table)


def _regularization(
  dropout_rate: Any, local_response_norm: bool, per_activation_blocks: int
) -> dict[str, Any]:
  check_dropout_rate(dropout_rate)
  check_at_least("model.per_activation_blocks", per_activation_blocks, 0)
  if per_activation_blocks > len(FIGURE_5):
    raise UserError(
      f"model.per_activation_blocks: {per_activation_blocks} is more than the "
      f"{len(FIGURE_5)} blocks there are"
    )
  return {
    "dropout_rate": dropout_rate,
    "local_response_norm": local_response_norm,
    "per_activation_blocks": per_activation_blocks,
  }
