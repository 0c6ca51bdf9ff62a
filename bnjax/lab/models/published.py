"""The backward pass of the 2016 NumPy code, with the error it had.

The code behind the published numbers of `configs/init_robustness.py`
(wiseodd/hipsternet at 54e0989, `neuralnet.py`; the same lines are in the post)
back-propagates through two hidden layers as

    dh2, dgamma2, dbeta2 = batchnorm_backward(dh2, bn2_cache)
    ...
    dh1, dgamma1, dbeta1 = batchnorm_backward(dh2, bn2_cache)   # sic

The last line should read `(dh1, bn1_cache)`: as it stands, the gradient of the
first layer comes from the second layer's, already normalized, gradient and
from the second layer's statistics. Only because both layers are equally wide
do the shapes agree. It was corrected four days after the post.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.lax import stop_gradient

from bnjax.ops import batch_norm


class Normalized(NamedTuple):
  """A batch norm's input `x` `[n, d]` and its parameters `[d]`."""

  x: jax.Array
  scale: jax.Array
  bias: jax.Array


def reroute_gradient(
  this: Normalized,
  previous: Normalized,
  *,
  epsilon: float,
  mask: jax.Array | None = None,
) -> jax.Array:
  """Returns `this.x`, with a wrong turn for the gradient that reaches it.

  With `g` the gradient of the loss with respect to `this.x`, `previous.x`
  gets the gradient `batch_norm_backward(g, cache of this)`, `previous.scale`
  gets `sum(g * x̂)` with `x̂` of this layer, and `previous.bias` gets `sum(g)`.
  The caller cuts the correct path with `stop_gradient`.

  It adds zero: a batch norm minus itself, in which each argument is this
  layer's for the value and the previous layer's for the derivative.

  Args:
    this: the batch norm about to be applied.
    previous: that of the layer before, as wide.
    epsilon: of both.
    mask: broadcastable to `x`, True where a row is an example.
  """
  x, scale, bias = (
    stop_gradient(a) + (b - stop_gradient(b))
    for a, b in zip(this, previous, strict=True)
  )
  detour, _ = batch_norm(x, scale, bias, epsilon=epsilon, mask=mask)
  # Where the mask is False the value may be anything, and 0 * inf is not 0.
  if mask is not None:
    detour = jnp.where(mask, detour, 0)
  return this.x + (detour - stop_gradient(detour))
