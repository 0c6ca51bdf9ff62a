"""Batch norm by a mean lp norm instead of the standard deviation."""

from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from bnjax.ops import _axes, _devices, _shared
from bnjax.ops._by_shards import statistics
from bnjax.ops._derivative import Plan
from bnjax.ops._statistics import Statistics, divisor, spread, valid
from bnjax.ops.moments import Moments

# (x, statistics, mask, axes, pool) -> what stands for the variance.
Square = Callable[
  [
    jax.Array,
    Statistics,
    jax.Array | None,
    tuple[int, ...],
    _devices.Pool,
  ],
  jax.Array,
]
ORDERS = (1, 2, float("inf"))


def lp_batch_norm(
  x: Float[Array, "..."],
  scale: Float[Array, "..."] | None = None,
  bias: Float[Array, "..."] | None = None,
  *,
  p: float = 1,
  feature_axes: int | Sequence[int] = -1,
  epsilon: float | Float[Array, ""] = 1e-5,
  mask: Bool[Array, "..."] | None = None,
  axis_name: str | tuple[str, ...] | None = None,
  axis_index_groups: Sequence[Sequence[int]] | None = None,
) -> tuple[Float[Array, "..."], Moments]:
  """Centres a batch and divides it by its mean lp norm before centring.

  s = mean(|x|^p)^(1/p), of p = infinity max|x|
  y = (x - mean) / sqrt(s^2 + epsilon) * scale + bias

  The norm is not of the centred batch, so that y has no variance of its own:
  its distribution is as little under control as may be. Centred, and made the
  standard deviation of Gaussian numbers, it is `l1_batch_norm`.

  Args:
    x: real floating array; statistics are kept in at least float32.
    scale: gamma, with the shape of the feature axes in array order; or None.
    bias: beta, likewise.
    p: 1, 2 or infinity.
    feature_axes: the axes that keep statistics of their own.
    epsilon: added to s^2.
    mask: True where x counts; broadcasts to x. Masked cells of y are 0.
    axis_name: named axes whose members are one batch.
    axis_index_groups: lists of indices along axis_name that pool together.

  Returns:
    y with x's shape and dtype, and Moments whose `var` is s^2, as of
    `l1_batch_norm`.

  Raises:
    TypeError: x is complex or not floating; mask is not boolean.
    ValueError: another p; axes, shapes or groups that do not fit; or one
      number per feature, as in `batch_norm`.

  Reference:
    Santurkar et al. (2018), arXiv:1805.11604, section 3.3.

  Example:
    >>> import jax.numpy as jnp
    >>> from bnjax.ops import lp_batch_norm
    >>> y, moments = lp_batch_norm(jnp.array([[1.0], [5.0]]), epsilon=0.0)
    >>> moments.var  # 3 ** 2
    Array([9.], dtype=float32)
    >>> y * 3
    Array([[-2.], [ 2.]], dtype=float32)
  """
  if p not in ORDERS:
    raise ValueError(f"p must be 1, 2 or infinity, got {p!r}.")

  def square(
    x: jax.Array,
    stats: Statistics,
    mask: jax.Array | None,
    axes: tuple[int, ...],
    pool: _devices.Pool,
  ) -> jax.Array:
    size = valid(jnp.abs(x.astype(stats.shift.dtype)), mask)
    if p not in (1, 2):
      return jnp.square(_devices.pool_max(pool, size.max(axes)))
    total = size if p == 1 else jnp.square(size)
    mean = _devices.pool_sums(pool, total.sum(axes)) / divisor(stats.count)
    return jnp.square(mean) if p == 1 else mean

  return by_square(
    square,
    x,
    scale,
    bias,
    feature_axes=feature_axes,
    epsilon=epsilon,
    mask=mask,
    axis_name=axis_name,
    axis_index_groups=axis_index_groups,
  )


def by_square(
  square: Square,
  x: jax.Array,
  scale: jax.Array | None,
  bias: jax.Array | None,
  *,
  feature_axes: int | Sequence[int],
  epsilon: float | jax.Array,
  mask: jax.Array | None,
  axis_name: str | tuple[str, ...] | None,
  axis_index_groups: Sequence[Sequence[int]] | None,
) -> tuple[jax.Array, Moments]:
  """Normalizes a batch by its mean and another square than its variance."""
  x = _axes.as_array(x)
  axes = _axes.reduced_axes(x.ndim, feature_axes)
  mask = _axes.as_mask(mask, x)
  if mask is None and axis_name is None:
    _shared.check_count(x, axes)
  pool = _devices.make_pool(axis_name, axis_index_groups)
  stats = statistics(Plan(axes, pool), x, mask)
  var = square(x, stats, mask, axes, pool)
  gain = 1 / jnp.sqrt(spread(stats.count > 1, var, epsilon))
  if scale is not None:
    gain = gain * _axes.per_feature("scale", scale, x, axes)
  if bias is None:
    bias = jnp.zeros_like(gain)
  bias = _axes.per_feature("bias", bias, x, axes)
  y = _shared.standardized(x, mask, stats, gain, bias, axes)
  mean = stats.shift + stats.rest
  return y, Moments(stats.count, mean, var * stats.count)


__all__ = ["lp_batch_norm"]
