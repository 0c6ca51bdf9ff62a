"""The blocks of an Inception network, and their sizes in Figure 5."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp

from bnjax.lab.models import layers
from bnjax.lab.models.conv import Conv
from bnjax.lab.models.initializers import Initializer
from bnjax.lab.models.layers import Tap
from bnjax.lab.models.norms import Norm
from bnjax.lab.models.pools import average_pool, max_pool

_POOLS = {"max": max_pool, "average": average_pool}


class Row(NamedTuple):
  """A block's row of Figure 5: how many features its convolutions have."""

  name: str  #: of the block
  one: int  #: of the 1x1 branch; 0: there is none
  three_reduce: int  #: of the 1x1 convolution before the 3x3 one
  three: int  #: of the 3x3 branch
  double_reduce: int  #: of the 1x1 convolution before the two 3x3 ones
  double: int  #: of each of these two
  pool: str  #: `average` or `max`, over 3x3
  projection: int  #: of the 1x1 convolution after the pool; 0: pass through
  stride: int = 1  #: of the last convolution of each branch, and of the pool


_FEATURES = {*Row._fields} - {"name", "pool", "stride"}

# Ioffe and Szegedy 2015, Figure 5. It prints a projection of 128 in 4c and 4d,
# which makes 608 features where it prints 576; with 96 they are 576.
FIGURE_5 = (
  Row("3a", 64, 64, 64, 64, 96, "average", 32),
  Row("3b", 64, 64, 96, 64, 96, "average", 64),
  Row("3c", 0, 128, 160, 64, 96, "max", 0, 2),
  Row("4a", 224, 64, 96, 96, 128, "average", 128),
  Row("4b", 192, 96, 128, 96, 128, "average", 128),
  Row("4c", 160, 128, 160, 128, 160, "average", 96),
  Row("4d", 96, 128, 192, 160, 192, "average", 96),
  Row("4e", 0, 128, 192, 192, 256, "max", 0, 2),
  Row("5a", 352, 192, 320, 160, 224, "average", 128),
  Row("5b", 352, 192, 320, 192, 224, "max", 128),
)


def scale_features(features: int, width: float) -> int:
  """`width` times as many features, rounded; at least 1 of what is there."""
  return max(1, round(width * features)) if features else 0


def scale_row(row: Row, width: float) -> Row:
  """The row with `width` times as many features in every convolution."""
  scaled: dict[str, Any] = {
    field: scale_features(getattr(row, field), width) for field in _FEATURES
  }
  return row._replace(**scaled)


@dataclass(frozen=True)
class Style:
  """What all layers of a network have in common."""

  #: makes a normalization, see `bnjax.lab.models.norms`; None: none
  norm: Norm | None
  activation: Callable[[jax.Array], jax.Array]  #: elementwise function
  kernel_init: Initializer  #: initializer of every kernel; biases start at zero
  placement: str = "before"  #: the norm "before" or "after" the activation
  use_bias: bool = False  #: whether convolutions have a bias
  #: of the convolutions and the activations between layers; None: what the
  #: images and the parameters promote to. Parameters are float32
  dtype: Any = None

  @property
  def finish(self) -> Callable[..., jax.Array]:
    """What follows convolutions, `layers.finish` in this style."""
    return partial(
      layers.finish,
      norm=self.norm,
      placement=self.placement,
      activation=self.activation,
    )

  def conv(
    self, x: jax.Array, features: int, name: str, size: int = 1, stride: int = 1
  ) -> jax.Array:
    """Convolves in the compact method of a module, with a kernel `name`."""
    module = Conv(
      features,
      (size, size),
      strides=stride,
      use_bias=self.use_bias,
      kernel_init=self.kernel_init,
      dtype=self.dtype,
      name=name,
    )
    return module(x)

  def depthwise(
    self, x: jax.Array, multiplier: int, name: str, size: int, stride: int
  ) -> jax.Array:
    """Convolves every feature by itself, with `multiplier` filters."""
    module = nn.Conv(
      x.shape[-1] * multiplier,
      (size, size),
      stride,
      feature_group_count=x.shape[-1],
      use_bias=False,
      kernel_init=self.kernel_init,
      dtype=self.dtype,
      name=name,
    )
    return module(x)


class Block(nn.Module):
  """An Inception module: branches side by side, joined by their features.

  1x1; 1x1 and 3x3; 1x1 and two 3x3; pool and 1x1. Every convolution `conv_i`
  has a norm `norm_i` and an activation.
  """

  row: Row
  style: Style
  per_activation: bool = False

  @nn.compact
  def __call__(
    self,
    x: jax.Array,
    *,
    train: bool,
    mask: jax.Array | None,
    tap: Tap | None = None,
  ) -> jax.Array:
    """The branches of `x`, `[n, height / stride, width / stride, f]`."""
    row, style = self.row, self.style
    finish = partial(
      style.finish,
      train=train,
      mask=mask,
      per_activation=self.per_activation,
    )

    def layer(
      x: jax.Array, features: int, name: str, size: int = 1
    ) -> jax.Array:
      x = style.conv(x, features, f"conv_{name}", size)
      return finish({f"norm_{name}": x})

    three = layer(x, row.three_reduce, "3x3_reduce")
    double = layer(x, row.double_reduce, "double_reduce")
    double = layer(double, row.double, "double_0", 3)
    pooled = _POOLS[row.pool](x, window=3, stride=row.stride)
    ends = {}
    if row.one:
      ends["1x1"] = style.conv(x, row.one, "conv_1x1")
    ends["3x3"] = style.conv(three, row.three, "conv_3x3", 3, row.stride)
    ends["double_1"] = style.conv(
      double, row.double, "conv_double_1", 3, row.stride
    )
    if row.projection:
      ends["pool"] = style.conv(pooled, row.projection, "conv_pool")
    y = finish({f"norm_{name}": end for name, end in ends.items()}, tap=tap)
    return y if row.projection else jnp.concatenate([y, pooled], axis=-1)
