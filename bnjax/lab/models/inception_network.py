"""The Inception network of the 2015 paper, Figure 5."""

import math
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from bnjax.lab.errors import UserError
from bnjax.lab.models.arguments import is_static_zero
from bnjax.lab.models.dropout import dropout, words_shape
from bnjax.lab.models.inception_blocks import (
  FIGURE_5,
  Block,
  Row,
  Style,
  scale_features,
  scale_row,
)
from bnjax.lab.models.local_response import local_response_norm
from bnjax.lab.models.pools import max_pool
from bnjax.lab.models.tap import Tap

_MULTIPLIER = 8  # filters for each color of the first convolution


class Inception(nn.Module):
  """The network of Ioffe and Szegedy 2015, Figure 5.

  Three convolutions, ten blocks, the mean over the image, and a linear
  classifier. Taps name what enters the activation of layer i,
  "preactivation_i", and what leaves the layer, "activation_i": layers 0 to 2
  are the convolutions, 3 to 12 the blocks. A block's preactivations are those
  at the ends of its branches.

  Attributes:
    num_classes: how many logits.
    style: what the layers have in common.
    width_factor: how many times the features of Figure 5 every convolution has.
    small_images: start with a 3x3 convolution and one pool, which halves the
      image once, instead of a separable 7x7 one of stride 2 and two pools,
      which halve it three times.
    dropout_rate: probability to drop a feature before the classifier. A Python
      0 leaves dropout out of the program.
    local_response_norm: local response normalization after the first pool and
      after the third convolution, where GoogLeNet has it.
    per_activation_blocks: how many of the last blocks normalize each place of
      the image by itself, like the units of a dense layer.
    rows: the blocks.
  """

  num_classes: int
  style: Style
  width_factor: float = 1.0
  small_images: bool = False
  dropout_rate: Any = 0.0
  local_response_norm: bool = False
  per_activation_blocks: int = 0
  rows: tuple[Row, ...] = FIGURE_5

  @nn.compact
  def __call__(
    self, x: jax.Array, *, train: bool, mask: jax.Array | None = None
  ) -> jax.Array:
    """Maps images to logits.

    Args:
      x: images `[n, height, width, channels]`, 224x224 in the paper.
      train: batch statistics and dropout (needs the `dropout` rng) or not.
      mask: `[n]` of bool, True where the row is an image and not padding.

    Returns:
      Logits `[n, num_classes]`, float32 for bfloat16 activations.

    Raises:
      UserError: the examples are no images, or smaller than the network needs.
    """
    self._check_size(x.shape)
    x = self._stem(x, train, mask)
    first = len(self.rows) - self.per_activation_blocks
    for i, row in enumerate(self.rows):
      block = Block(
        scale_row(row, self.width_factor),
        self.style,
        per_activation=i >= first,
        name=f"block_{row.name}",
      )
      tap = Tap(name=f"preactivation_{i + 3}")
      x = Tap(name=f"activation_{i + 3}")(
        block(x, train=train, mask=mask, tap=tap)
      )
    x = jnp.mean(x, axis=(1, 2))
    if train and not is_static_zero(self.dropout_rate):
      shape = words_shape(x.shape, self.dropout_rate)
      words = jax.random.bits(self.make_rng("dropout"), shape, jnp.uint32)
      x = dropout(x, words, self.dropout_rate)
    logits = nn.Dense(
      self.num_classes,
      kernel_init=self.style.kernel_init,
      dtype=self.style.dtype,
      name="output",
    )(x)
    return logits.astype(_at_least_float32(logits.dtype))

  def _stem(
    self, x: jax.Array, train: bool, mask: jax.Array | None
  ) -> jax.Array:
    """Applies what comes before the blocks."""
    style = self.style
    narrow, wide = (scale_features(f, self.width_factor) for f in (64, 192))

    def finish(i: int, x: jax.Array) -> jax.Array:
      tap = Tap(name=f"preactivation_{i}")
      parts = {f"norm_{i}": x}
      y = style.finish(parts, train=train, mask=mask, tap=tap)
      return Tap(name=f"activation_{i}")(y)

    if self.small_images:
      x = style.conv(x, narrow, "conv_0", 3)
    else:
      x = style.depthwise(x, _MULTIPLIER, "depthwise_0", 7, 2)
      x = style.conv(x, narrow, "conv_0")
    x = self._respond(max_pool(finish(0, x), window=3, stride=2))
    x = finish(1, style.conv(x, narrow, "conv_1"))
    x = self._respond(finish(2, style.conv(x, wide, "conv_2", 3)))
    return x if self.small_images else max_pool(x, window=3, stride=2)

  def _respond(self, x: jax.Array) -> jax.Array:
    if not self.local_response_norm:
      return x
    # In bfloat16 what is added to the constant would be lost.
    wide = x.astype(_at_least_float32(x.dtype))
    return local_response_norm(wide).astype(x.dtype)

  def _check_size(self, shape: tuple[int, ...]) -> None:
    if len(shape) != 4:
      raise UserError(
        "model.name: an Inception takes images [n, height, width, channels], "
        f"and these examples are of shape {shape[1:]}"
      )
    stem = 2 if self.small_images else 8
    smallest = stem * math.prod(row.stride for row in self.rows)
    if min(shape[1:3]) < smallest:
      other = "" if self.small_images else " or model.name='small_inception'"
      raise UserError(
        f"model.name: images of {shape[1]}x{shape[2]} are too small, since the "
        f"network makes {smallest}x{smallest} one place; take larger images"
        f"{other}"
      )


def _at_least_float32(dtype: Any) -> Any:
  return jnp.promote_types(dtype, jnp.float32)
