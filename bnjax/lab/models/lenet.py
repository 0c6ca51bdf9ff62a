"""Small convolutional networks, from LeNet to the manner of VGG."""

import functools
from typing import Annotated

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from bnjax.lab.errors import UserError
from bnjax.lab.models import layers
from bnjax.lab.models.arguments import (
  activation_of,
  check_model,
  is_static_zero,
  kernel_init_of,
)
from bnjax.lab.models.conv import PADDINGS, Conv
from bnjax.lab.models.dropout import dropout, words_shape
from bnjax.lab.models.initializers import bias_of
from bnjax.lab.models.layers import Tap
from bnjax.lab.models.local_response import local_response_norm
from bnjax.lab.models.norms import Norm
from bnjax.lab.models.pools import max_pool
from bnjax.lab.registry import Count, Range, Share, Traced

PLACEMENTS = ("after_pool", "after", "before")


class LeNet(nn.Module):
  """Convolutions with pools between them, dense layers, a linear classifier.

  With the norm `after_pool`, as in the network of the report, a convolutional
  layer is convolution, activation, pool, norm; the others are `before` and
  `after` the activation. Layers are numbered through, `conv_0` to `dense_3`.
  Taps name what enters the activation of layer i, "preactivation_i", and what
  leaves the layer before dropout, "activation_i".

  The defaults are the network of the report on batch norm in PyTorch, whose
  images are 32x32 with 3 channels. In the manner of VGG, for CIFAR-10:
  channels=(32, 32, 64, 64, 128, 128), kernel_size=3, padding="SAME",
  pool_every=2, hidden=(128,), placement="before", norm_dense=True.

  Attributes:
    channels: features of each convolution.
    hidden: units of each dense layer before the classifier.
    kernel_size: rows and columns of every kernel.
    padding: `VALID`, or `SAME` for convolutions that keep the image's size.
    pool_every: a 2x2 maximum after every so many convolutions.
    initializer: a name in `INITIALIZERS`, for every kernel; biases start at
      zero, with `torch` as in PyTorch.
    placement: the norm `before` or `after` the activation, or `after_pool`.
      Where there is no pool, and in dense layers, `after_pool` is `after`.
    norm_dense: whether hidden dense layers have the norm, too.
    use_bias: whether all but the classifier have a bias; that always has.
    dropout_rate: probability to drop a unit of a hidden dense layer.
    local_response_norm: local response normalization after each pool, before
      a norm that comes `after_pool`; the 2015 paper took it out of Inception.
  """

  num_classes: int
  norm: Norm | None
  channels: Annotated[tuple[Count, ...], Range(least=1, most=1000)] = (6, 16)
  hidden: Annotated[tuple[Count, ...], Range(most=1000)] = (120, 84)
  kernel_size: Count = 5
  padding: str = "VALID"
  pool_every: Count = 1
  activation: str = "relu"
  initializer: str = "torch_default"
  init_scale: Traced[float] = 1.0
  placement: str = "after_pool"
  norm_dense: bool = False
  use_bias: bool = True
  dropout_rate: Traced[Share] = 0.0
  local_response_norm: bool = False

  def __post_init__(self) -> None:
    """Checks names and ranges."""
    check_model(self, padding=PADDINGS, placement=PLACEMENTS)
    super().__post_init__()

  @nn.compact
  def __call__(
    self, x: jax.Array, *, train: bool, mask: jax.Array | None = None
  ) -> jax.Array:
    """Maps images to logits.

    Raises:
      UserError: the images are too small for the convolutions and pools.
    """
    self._check_size(x.shape)
    drop = train and not is_static_zero(self.dropout_rate)
    finish = functools.partial(
      layers.finish,
      placement=self.placement,
      activation=activation_of(self),
      train=train,
      mask=mask,
    )
    dense = functools.partial(layers.dense, self)
    words = self._draw_words(x.shape[0]) if drop else []
    for i, features in enumerate(self.channels):
      x = finish(
        {f"norm_{i}": self._conv(x, features, f"conv_{i}")},
        norm=self.norm,
        tap=Tap(name=f"preactivation_{i}"),
        pool=None if (i + 1) % self.pool_every else self._pool,
      )
      x = Tap(name=f"activation_{i}")(x)
    x = x.reshape(x.shape[0], -1)
    first = len(self.channels)
    for i, features in enumerate(self.hidden, start=first):
      x = finish(
        {f"norm_{i}": dense(x, features, f"dense_{i}", use_bias=self.use_bias)},
        norm=self.norm if self.norm_dense else None,
        tap=Tap(name=f"preactivation_{i}"),
      )
      x = Tap(name=f"activation_{i}")(x)
      if drop:
        x = dropout(x, words[i - first], self.dropout_rate)
    return dense(x, self.num_classes, "output")

  @nn.nowrap
  def _pool(self, x: jax.Array) -> jax.Array:
    """Returns the maxima of 2x2 windows; an odd last row is dropped."""
    height, width = x.shape[1] // 2 * 2, x.shape[2] // 2 * 2
    x = max_pool(x[:, :height, :width], window=2, stride=2)
    return local_response_norm(x) if self.local_response_norm else x

  def _conv(self, x: jax.Array, features: int, name: str) -> jax.Array:
    fan_in = self.kernel_size**2 * x.shape[-1]
    return Conv(
      features,
      (self.kernel_size, self.kernel_size),
      padding=self.padding,
      use_bias=self.use_bias,
      kernel_init=kernel_init_of(self),
      bias_init=bias_of(self.initializer, fan_in),
      name=name,
    )(x)

  def _draw_words(self, n: int) -> list[jax.Array]:
    """Returns each dense layer's random words, all from one draw."""
    if not self.hidden:
      return []
    rate = self.dropout_rate
    shapes = [words_shape((n, units), rate) for units in self.hidden]
    digits, ends = shapes[0][0], np.cumsum([size for _, size in shapes])
    key = self.make_rng("dropout")
    words = jax.random.bits(key, (digits, int(ends[-1])), jnp.uint32)
    return jnp.split(words, ends[:-1], axis=1)

  def _check_size(self, shape: tuple[int, ...]) -> None:
    if len(shape) != 4:
      raise UserError(
        f"model.name: 'lenet' takes images [n, height, width, channels], and "
        f"these examples are of shape {shape[1:]}"
      )
    sizes: tuple[int, ...] = shape[1:3]
    lost = self.kernel_size - 1 if self.padding == "VALID" else 0
    for i in range(len(self.channels)):
      sizes = tuple(size - lost for size in sizes)
      if (i + 1) % self.pool_every == 0:
        sizes = tuple(size // 2 for size in sizes)
      if min(sizes) < 1:
        raise UserError(
          f"model.channels: images of {shape[1]}x{shape[2]} are too small for "
          f"convolution {i} of {len(self.channels)} and its pool; take larger "
          "images, fewer channels, a smaller model.kernel_size or "
          "model.padding='SAME'"
        )
