"""Count, mean and squared deviations of a batch, and how two of them merge."""

from collections.abc import Sequence
from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from bnjax.ops import _axes, _devices
from bnjax.ops._by_shards import statistics
from bnjax.ops._derivative import Plan
from bnjax.ops._explicit import alike
from bnjax.ops._statistics import Statistics, divisor


class Moments(NamedTuple):
  """The statistics of a batch, per feature, with what is needed to merge them.

  Attributes:
    count: how many numbers were averaged, or the sum of their weights: a
      scalar, or per feature. A float, right to its rounding at any size.
    mean: their mean, 0 where count is 0.
    m2: the sum of their squared deviations from the mean, never negative.

  Example:
    >>> import jax.numpy as jnp
    >>> from bnjax.ops import Moments
    >>> Moments(jnp.array(4.0), jnp.array([2.0]), jnp.array([12.0])).var
    Array([3.], dtype=float32)
  """

  count: Float[Array, "..."]  # type: ignore[assignment]
  mean: Float[Array, "..."]
  m2: Float[Array, "..."]

  @property
  def var(self) -> Float[Array, "..."]:
    """The biased variance, m2 / count; 0 where count is 0."""
    return self.m2 / divisor(self.count)

  @property
  def unbiased_var(self) -> Float[Array, "..."]:
    """The unbiased variance, m2 / (count - 1); 0 where count is below 2."""
    return self.m2 / jnp.maximum(self.count - 1, 1)


def batch_moments(
  x: Float[Array, "..."],
  *,
  feature_axes: int | Sequence[int] = -1,
  mask: Bool[Array, "..."] | None = None,
  weights: Float[Array, "..."] | Int[Array, "..."] | None = None,
  axis_name: str | tuple[str, ...] | None = None,
  axis_index_groups: Sequence[Sequence[int]] | None = None,
) -> Moments:
  """Returns the exact moments of a batch over all but the feature axes.

  mean = sum(x) / count,  m2 = sum((x - mean)^2)

  With weights w: count = sum(w), mean = sum(w x) / count and
  m2 = sum(w (x - mean)^2). A batch of no rows, or in which nothing counts, has
  moments of 0.

  Args:
    x: real floating array. float16 and bfloat16 are summed in float32.
    feature_axes: the axes that keep statistics of their own.
    mask: True where x counts; broadcasts to x. Masked cells may hold anything.
    weights: how often x counts, from 0; broadcasts to x. Cells of weight 0 may
      hold anything. Taken as constants: no gradient flows into them.
    axis_name: named axes (vmap, pmap, shard_map) to pool over, weighted by
      count, in one collective.
    axis_index_groups: lists of indices along axis_name that pool together.

  Returns:
    Moments with the shape of the feature axes, in array order. `count` is a
    scalar unless the mask differs between features. They are differentiable.

  Raises:
    TypeError: x is complex or not floating; mask is not boolean, or weights
      are.
    ValueError: axes, mask, weights or groups that do not fit.

  Reference:
    Chan, Golub, LeVeque (1983), Algorithms for computing the sample variance.

  Example:
    >>> import jax.numpy as jnp
    >>> from bnjax.ops import batch_moments
    >>> batch_moments(jnp.array([[1.0, 5.0], [3.0, 5.0]])).var
    Array([1., 0.], dtype=float32)
  """
  x = _axes.as_array(x)
  dtype = _axes.statistics_dtype(x.dtype)
  axes = _axes.reduced_axes(x.ndim, feature_axes)
  pool = _devices.make_pool(axis_name, axis_index_groups)
  mask = _axes.as_mask(mask, x)
  weights = _axes.as_weights(weights, mask, x, dtype)
  return from_statistics(statistics(Plan(axes, pool), x, mask, weights))


def merge_moments(a: Moments, b: Moments) -> Moments:
  """Returns the moments of two disjoint batches together.

  With d = mean_b - mean_a and n = n_a + n_b:

  mean = mean_a + d * n_b / n,  m2 = m2_a + m2_b + d^2 * n_a * n_b / n

  Exact also where one count is 0, or both: what an empty part holds, be it
  infinite or NaN, does not matter. Associative up to rounding, so
  microbatches, shards and ghost groups may be merged in any order.

  Args:
    a: moments with any shape.
    b: moments with the same shape.

  Returns:
    Moments of that shape.

  Reference:
    Chan, Golub, LeVeque (1983), Algorithms for computing the sample variance.

  Example:
    >>> import jax.numpy as jnp
    >>> from bnjax.ops import batch_moments, merge_moments
    >>> x = jnp.arange(6.0)[:, None]
    >>> merge_moments(batch_moments(x[:2]), batch_moments(x[2:]))
    Moments(count=Array(6., dtype=float32), mean=Array([2.5], dtype=float32),
      m2=Array([17.5], dtype=float32))
  """
  b = Moments(*(alike(value, a.mean) for value in b))
  a, b = _counted(a), _counted(b)
  count = a.count + b.count
  share = b.count / divisor(count)
  apart = b.mean - a.mean
  mean = jnp.where(a.count > 0, a.mean + apart * share, b.mean)
  m2 = a.m2 + b.m2 + jnp.square(apart) * (a.count * share)
  return Moments(count, mean, m2)


def _counted(part: Moments) -> Moments:
  """Returns moments that are 0 where nothing was counted."""
  some = part.count > 0
  zero = jnp.zeros_like(part.mean)
  return Moments(
    part.count,
    jnp.where(some, part.mean, zero),
    jnp.where(some, part.m2, zero),
  )


def from_statistics(stats: Statistics) -> Moments:
  """Returns Moments, rounding the mean once."""
  return Moments(stats.count, stats.shift + stats.rest, stats.m2)


__all__ = ["Moments", "batch_moments", "merge_moments"]
