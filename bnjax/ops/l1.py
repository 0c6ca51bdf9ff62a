"""Batch norm by the mean absolute deviation instead of the standard one."""

import math
from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from bnjax.ops import _devices
from bnjax.ops._statistics import Statistics, centre, divisor, valid
from bnjax.ops.lp import by_square
from bnjax.ops.moments import Moments

_GAUSSIAN = math.sqrt(math.pi / 2)  # Standard over mean absolute deviation.


def l1_batch_norm(
  x: Float[Array, "..."],
  scale: Float[Array, "..."] | None = None,
  bias: Float[Array, "..."] | None = None,
  *,
  feature_axes: int | Sequence[int] = -1,
  epsilon: float | Float[Array, ""] = 1e-5,
  mask: Bool[Array, "..."] | None = None,
  axis_name: str | tuple[str, ...] | None = None,
  axis_index_groups: Sequence[Sequence[int]] | None = None,
) -> tuple[Float[Array, "..."], Moments]:
  """Normalizes a batch by its mean and its mean absolute deviation.

  s = sqrt(pi / 2) * mean(|x - mean|)
  y = (x - mean) / sqrt(s^2 + epsilon) * scale + bias

  The factor makes s the standard deviation where x is Gaussian, so it can
  replace batch norm in a network as it is. Epsilon enters as it does there
  (the papers add it to s), so that s is the only difference.

  Args:
    x: real floating array; statistics are kept in at least float32.
    scale: gamma, with the shape of the feature axes in array order; or None.
    bias: beta, likewise.
    feature_axes: the axes that keep statistics of their own.
    epsilon: added to s^2.
    mask: True where x counts; broadcasts to x. Masked cells of y are 0.
    axis_name: named axes whose members are one batch.
    axis_index_groups: lists of indices along axis_name that pool together.

  Returns:
    y with x's shape and dtype, and Moments whose `var` is s^2: for
    `update_running`, whose result `normalize` takes for inference. They do not
    merge as those of `batch_moments` do: |x - mean| moves with the mean.

  Raises:
    TypeError: x is complex or not floating; mask is not boolean.
    ValueError: axes, shapes or groups that do not fit; or one number per
      feature, as in `batch_norm`.

  Reference:
    Wu et al. (2018), arXiv:1802.09769; Hoffer et al. (2018), arXiv:1803.01814.

  Example:
    >>> import jax.numpy as jnp
    >>> from bnjax.ops import l1_batch_norm
    >>> _, moments = l1_batch_norm(jnp.array([[-1.0], [0.0], [0.0], [1.0]]))
    >>> moments.var  # pi / 8
    Array([0.3926991], dtype=float32)
  """
  return by_square(
    _square,
    x,
    scale,
    bias,
    feature_axes=feature_axes,
    epsilon=epsilon,
    mask=mask,
    axis_name=axis_name,
    axis_index_groups=axis_index_groups,
  )


def _square(
  x: jax.Array,
  stats: Statistics,
  mask: jax.Array | None,
  axes: tuple[int, ...],
  pool: _devices.Pool,
) -> jax.Array:
  apart = centre(valid(x, mask), stats.shift, stats.rest, axes)
  total = valid(jnp.abs(apart), mask).sum(axes)
  total = _devices.pool_sums(pool, total)
  return jnp.square(_GAUSSIAN * total / divisor(stats.count))


__all__ = ["l1_batch_norm"]
