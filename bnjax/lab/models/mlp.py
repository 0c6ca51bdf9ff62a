"""The multilayer perceptron of the 2015 and 2016 experiments."""

import functools
from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from bnjax.lab.models.arguments import is_static_zero
from bnjax.lab.models.dropout import dropout, words_shape
from bnjax.lab.models.initializers import Initializer
from bnjax.lab.models.norms import BatchNormalization
from bnjax.lab.models.published import Normalized, reroute_gradient
from bnjax.lab.models.tap import Tap


class MLP(nn.Module):
  """`depth` hidden layers of `width` units and a linear classifier.

  A hidden layer is dense, norm, activation, dropout (`norm_after` False) or
  dense, activation, norm, dropout (`norm_after` True). The classifier has no
  norm. Taps name what enters the activation of layer i, "preactivation_i", and
  what leaves the layer before dropout, "activation_i".

  Attributes:
    num_classes: how many logits.
    width: units in each hidden layer.
    depth: number of hidden layers.
    activation: elementwise function.
    kernel_init: initializer of every kernel; biases start at zero.
    norm: the normalization to insert, see `bnjax.lab.models.norms`.
    norm_after: normalize after the activation rather than before it.
    dropout_rate: probability to drop a hidden unit in training. A Python 0
      leaves dropout out of the program.
    use_bias: whether hidden layers have their own bias, which a batch norm
      right after them makes redundant.
    published_derivative: back-propagate with the error of the 2016 code, see
      `bnjax.lab.models.published`; needs `norm` to be the batch norm.
  """

  num_classes: int
  width: int
  depth: int
  activation: Callable[[jax.Array], jax.Array]
  kernel_init: Initializer
  norm: Any  # a bnjax.lab.models.norms.Norm
  norm_after: bool = False
  dropout_rate: Any = 0.0
  use_bias: bool = True
  published_derivative: bool = False

  @nn.compact
  def __call__(
    self, x: jax.Array, *, train: bool, mask: jax.Array | None = None
  ) -> jax.Array:
    """Maps examples to logits.

    Args:
      x: examples `[n, ...]`, flattened to `[n, features]`.
      train: batch statistics and dropout (needs the `dropout` rng) or not.
      mask: `[n]` of bool, True where the row is an example and not padding.

    Returns:
      Logits `[n, num_classes]`.
    """
    row_mask = None if mask is None else mask[:, None]
    drop = train and not is_static_zero(self.dropout_rate)
    reroute = self.published_derivative and train and not self.is_initializing()
    fused = (
      isinstance(self.norm, BatchNormalization)
      and self.activation is nn.relu
      and not self.norm_after
      # Who collects intermediates wants the preactivations, too.
      and not self.is_mutable_collection("intermediates")
    )
    norm = functools.partial(self.norm, relu=True) if fused else self.norm
    previous = None
    x = x.reshape(x.shape[0], -1)
    if drop:  # one draw for all layers: on a CPU each draw has its overhead
      shape = words_shape((x.shape[0], self.width), self.dropout_rate)
      key = self.make_rng("dropout")
      words = jax.random.bits(key, (self.depth, *shape), jnp.uint32)
    for i in range(self.depth):
      x = self._dense(self.width, self.use_bias, f"dense_{i}")(x)
      if reroute:
        this = Normalized(x, **self.get_variable("params", f"norm_{i}"))
        if previous is not None:
          x = reroute_gradient(
            this, previous, epsilon=self.norm.epsilon, mask=row_mask
          )
        previous = this
      if self.norm_after:
        x = self.activation(Tap(name=f"preactivation_{i}")(x))
      x = norm(x, train=train, mask=row_mask, name=f"norm_{i}")
      if not self.norm_after and not fused:
        x = self.activation(Tap(name=f"preactivation_{i}")(x))
      if reroute and i + 1 < self.depth:
        x = jax.lax.stop_gradient(x)
      x = Tap(name=f"activation_{i}")(x)
      if drop:
        x = dropout(x, words[i], self.dropout_rate)
    return self._dense(self.num_classes, True, "output")(x)

  def _dense(self, features: int, use_bias: bool, name: str) -> nn.Dense:
    return nn.Dense(
      features, use_bias=use_bias, kernel_init=self.kernel_init, name=name
    )
