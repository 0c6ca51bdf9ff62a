"""The Inception network of the 2015 paper, Figure 5, and one for small images.

`bnjax.lab.models` makes three models of it: `bn_inception` with batch norm,
`inception`, which that is compared with, and `small_inception` for images of
32x32.
"""

import math
from typing import Annotated, Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from bnjax.lab.errors import UserError, choice
from bnjax.lab.models import layers
from bnjax.lab.models.arguments import (
  activation_of,
  check_model,
  is_static_zero,
  kernel_init_of,
)
from bnjax.lab.models.dropout import dropout, words_shape
from bnjax.lab.models.inception_blocks import (
  FIGURE_5,
  Block,
  Row,
  Style,
  scale_features,
  scale_row,
)
from bnjax.lab.models.layers import Tap
from bnjax.lab.models.local_response import local_response_norm
from bnjax.lab.models.norms import Norm
from bnjax.lab.models.pools import max_pool
from bnjax.lab.registry import Positive, Range, Share, Traced

PLACEMENTS = ("before", "after")
_BIASES = ("auto", "always", "never")
# None: as the images and parameters are, which keeps float64.
_DTYPES = {"float32": None, "bfloat16": jnp.bfloat16}
_MULTIPLIER = 8  # filters for each color of the first convolution


class BNInception(nn.Module):
  """BN-Inception, for images of 224x224 or of 32x32.

  Three convolutions, ten blocks, the mean over the image, and a linear
  classifier. Taps name what enters the activation of layer i,
  "preactivation_i", and what leaves the layer, "activation_i": layers 0 to 2
  are the convolutions, 3 to 12 the blocks. A block's preactivations are those
  at the ends of its branches.

  Its convolutions have 10,143,384 weights, its classifier of 1000 classes
  1,025,000, and batch norm 9,952 scales and as many biases: 11.2 million in
  all, where the paper says 13.6. BN-x5 and BN-x30 are this network with another
  learning rate, and the six of the ensemble this one with a larger
  `init_scale`, a `dropout_rate` of 0.05 or 0.1, or `per_activation_blocks`.

  For small images there is one pool before the blocks, whose grids are 16x16,
  8x8 and 4x4. With an eighth of the features it trains on a CPU: 162,442
  parameters for 10 classes and 3 colors, 8.5 million multiplications an image.
  On two CPU cores an epoch of 45,000 took two minutes.

  Attributes:
    initializer: a name in `INITIALIZERS`, for every kernel; the paper names
      none.
    placement: the norm `before` or `after` the activation.
    bias: whether convolutions have one: `always`, `never`, or `auto`: unless a
      norm follows them at once, which makes it redundant.
    dropout_rate: probability to drop a feature before the classifier. A Python
      0 leaves dropout out of the program.
    local_response_norm: local response normalization after the first pool and
      after the third convolution, where GoogLeNet has it, and which the paper
      removed together with dropout.
    per_activation_blocks: how many of the last blocks normalize each place of
      the image by itself, like the units of a dense layer, instead of
      convolutional batch norm; the paper does not say how many.
    dtype: `float32`, or `bfloat16` for the activations; parameters and
      statistics are float32 either way.
    width_factor: how many times the features of Figure 5 every convolution
      has, rounded.
    blocks: names of the blocks of Figure 5 to keep, in its order, such as
      `("3a", "3c", "5b")`: compiled in a third of the time; () for all ten.
    small_images: start with a 3x3 convolution and one pool, which halves the
      image once, instead of a separable 7x7 one of stride 2 and two pools,
      which halve it three times.

  Reference:
    Ioffe and Szegedy 2015, arXiv:1502.03167, section 4.2 and Figure 5.
  """

  num_classes: int
  norm: Norm | None
  activation: str = "relu"
  initializer: str = "he"
  init_scale: Traced[float] = 1.0
  placement: str = "before"
  bias: str = "auto"
  dropout_rate: Traced[Share] = 0.0
  local_response_norm: bool = False
  per_activation_blocks: Annotated[int, Range(0, len(FIGURE_5))] = 0
  dtype: str = "float32"
  width_factor: Positive = 1.0
  blocks: tuple[str, ...] = ()
  small_images: bool = False

  def __post_init__(self) -> None:
    """Checks names and ranges."""
    names = [row.name for row in FIGURE_5]
    chosen = [choice("model.blocks", name, names) for name in self.blocks]
    in_order = [name for name in names if name in chosen]
    if chosen != in_order:
      raise UserError(
        f"model.blocks: {', '.join(chosen)} is not in the order of Figure 5, "
        f"each once: {', '.join(in_order)}"
      )
    check_model(self, placement=PLACEMENTS, bias=_BIASES, dtype=_DTYPES)
    super().__post_init__()

  @property
  def rows(self) -> tuple[Row, ...]:
    """The blocks."""
    kept = self.blocks or [row.name for row in FIGURE_5]
    return tuple(row for row in FIGURE_5 if row.name in kept)

  @property
  def style(self) -> Style:
    """What the layers have in common."""
    redundant = self.placement == "before" and not layers.is_none(self.norm)
    use_bias = {"auto": not redundant, "always": True, "never": False}
    return Style(
      norm=self.norm,
      activation=activation_of(self),
      kernel_init=kernel_init_of(self),
      placement=self.placement,
      use_bias=use_bias[self.bias],
      dtype=_DTYPES[self.dtype],
    )

  @nn.compact
  def __call__(
    self, x: jax.Array, *, train: bool, mask: jax.Array | None = None
  ) -> jax.Array:
    """Maps images to logits.

    Returns:
      Logits `[n, num_classes]`, float32 for bfloat16 activations.

    Raises:
      UserError: the examples are no images, or smaller than the network needs.
    """
    self._check_size(x.shape)
    style = self.style
    x = self._stem(style, x, train, mask)
    first = len(self.rows) - self.per_activation_blocks
    for i, row in enumerate(self.rows):
      block = Block(
        scale_row(row, self.width_factor),
        style,
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
      kernel_init=style.kernel_init,
      dtype=style.dtype,
      name="output",
    )(x)
    return logits.astype(_at_least_float32(logits.dtype))

  def _stem(
    self, style: Style, x: jax.Array, train: bool, mask: jax.Array | None
  ) -> jax.Array:
    """Applies what comes before the blocks."""
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
