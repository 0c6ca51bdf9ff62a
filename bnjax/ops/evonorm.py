"""EvoNorm: a normalization and an activation in one, found by search."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from bnjax.ops import _axes, _devices, _shared
from bnjax.ops._by_shards import statistics
from bnjax.ops._derivative import Plan
from bnjax.ops._explicit import place, shards
from bnjax.ops._statistics import spread, valid
from bnjax.ops.moments import Moments, from_statistics


def evonorm_b0(
  x: Float[Array, "..."],
  v: Float[Array, " features"],
  scale: Float[Array, " features"] | None = None,
  bias: Float[Array, " features"] | None = None,
  *,
  var: Float[Array, " features"] | None = None,
  feature_axis: int = -1,
  batch_axes: int | Sequence[int] = 0,
  epsilon: float | Float[Array, ""] = 1e-5,
  mask: Bool[Array, "..."] | None = None,
  axis_name: str | tuple[str, ...] | None = None,
  axis_index_groups: Sequence[Sequence[int]] | None = None,
) -> tuple[Float[Array, "..."], Moments]:
  """EvoNorm-B0, of the batch's variance and each example's own.

  y = x / max(sqrt(var_batch + epsilon), v * x + sqrt(var_space + epsilon))
      * scale + bias

  It is nonlinear: put no activation after it. Where there is no space the
  example's variance is 0.

  Args:
    x: real floating array; statistics are kept in at least float32.
    v: one number per feature, initially 1.
    scale: likewise; or None.
    bias: likewise, initially 0; or None.
    var: the batch's variance, for inference: the running one. By default it
      is that of x.
    feature_axis: the axis of the features.
    batch_axes: the axes of the examples; all others are space.
    epsilon: added to both variances.
    mask: True where x counts; broadcasts to x. Masked cells of y are 0.
    axis_name: named axes over which the examples are sharded.
    axis_index_groups: lists of indices along axis_name that pool together.

  Returns:
    y with x's shape and dtype, and the Moments of the batch.

  Raises:
    TypeError: x is complex or not floating; mask is not boolean.
    ValueError: axes, shapes or groups that do not fit; or one number per
      feature and no var, as in `batch_norm`.

  Reference:
    Liu, Brock, Simonyan and Le (2020), arXiv:2004.02967.

  Example:
    >>> import jax.numpy as jnp
    >>> from bnjax.ops import evonorm_b0
    >>> x = jnp.array([[-2.0], [2.0]])  # Variance 4, so max(2, x).
    >>> evonorm_b0(x, jnp.array([3.0]), epsilon=0.0)[0].round(3)
    Array([[-1.   ], [ 0.333]], dtype=float32)
  """
  x = _axes.as_array(x)
  mask = _axes.as_mask(mask, x)
  wide = valid(x, mask).astype(_axes.statistics_dtype(x.dtype))
  axes = _axes.reduced_axes(x.ndim, feature_axis)
  inside = _shared.within_example(x.ndim, feature_axis, batch_axes)
  if var is None and mask is None and axis_name is None:
    _shared.check_count(x, axes)
  pool = _devices.make_pool(axis_name, axis_index_groups)
  stats = statistics(Plan(axes, pool), wide, mask)
  along = lambda name, a: _shared.along(name, a, wide, feature_axis)
  if var is None:
    batch = jnp.sqrt(along("var", spread(stats.count > 0, stats.var, epsilon)))
  else:
    batch = jnp.sqrt(along("var", var) + epsilon)
  space = _deviation(wide, inside, mask, epsilon)
  y = wide / jnp.maximum(batch, along("v", v) * wide + space)
  y = _shared.affine(y, scale, bias, feature_axis)
  return valid(y, mask).astype(x.dtype), from_statistics(stats)


def evonorm_s0(
  x: Float[Array, "..."],
  v: Float[Array, " features"],
  scale: Float[Array, " features"] | None = None,
  bias: Float[Array, " features"] | None = None,
  *,
  groups: int,
  feature_axis: int = -1,
  batch_axes: int | Sequence[int] = 0,
  epsilon: float | Float[Array, ""] = 1e-5,
  mask: Bool[Array, "..."] | None = None,
) -> Float[Array, "..."]:
  """EvoNorm-S0, of each example alone: Swish over a group's deviation.

  y = x * sigmoid(v * x) / sqrt(var_group + epsilon) * scale + bias

  It is nonlinear: put no activation after it. The groups are `group_norm`'s.

  Args:
    x: real floating array; statistics are kept in at least float32.
    v: one number per feature, initially 1.
    scale: likewise; or None.
    bias: likewise, initially 0; or None.
    groups: how many groups of consecutive features; divides the features.
    feature_axis: the axis of the features.
    batch_axes: the axes of the examples; all others are space.
    epsilon: added to the variance.
    mask: True where x counts; broadcasts to x. Masked cells of y are 0.

  Returns:
    An array of x's shape and dtype.

  Raises:
    TypeError: x is complex or not floating; mask is not boolean.
    ValueError: axes, shapes or groups that do not fit; or one number per
      group, whose variance is 0 whatever it is.

  Reference:
    Liu, Brock, Simonyan and Le (2020), arXiv:2004.02967.

  Example:
    >>> import jax.numpy as jnp
    >>> from bnjax.ops import evonorm_s0
    >>> x = jnp.array([[-2.0, 2.0]])  # Variance 4, and sigmoid(0) is 1/2.
    >>> evonorm_s0(x, jnp.zeros(2), groups=1, epsilon=0.0)
    Array([[-0.5, 0.5]], dtype=float32)
  """
  x = _axes.as_array(x)
  inside = _shared.within_example(x.ndim, feature_axis, batch_axes)
  (axis,) = _shared.axes_of(x.ndim, feature_axis)
  _shared.check_groups("features", groups, x.shape[axis])
  given, x = x, _shared.in_groups(x, axis, groups)
  mask = _axes.as_mask(mask, x)
  wide = valid(x, mask).astype(_axes.statistics_dtype(x.dtype))
  apart = _shared.split(wide, axis, groups)
  axes = _shared.split_axes(inside, axis)
  _shared.check_count(apart, axes)
  masks = None if mask is None else _shared.split(mask, axis, groups)
  deviation = _deviation(apart, axes, masks, epsilon)
  swish = wide * jax.nn.sigmoid(
    _shared.along("v", v, wide, feature_axis) * wide
  )
  y = _shared.split(swish, axis, groups) / deviation
  y = _shared.affine(y.reshape(x.shape), scale, bias, feature_axis)
  return place(valid(y, mask).astype(x.dtype), shards(given), given)


def _deviation(
  x: Array, axes: tuple[int, ...], mask: Array | None, epsilon: float | Array
) -> Array:
  """Returns sqrt(var + epsilon) over the axes, which it keeps."""
  if not axes:  # The variance of one number is 0.
    return jnp.sqrt(jnp.zeros_like(x) + epsilon)
  stats = statistics(Plan(axes, _devices.Pool()), x, mask)
  deviation = jnp.sqrt(spread(stats.count > 0, stats.var, epsilon))
  return jnp.expand_dims(deviation, axes)


__all__ = ["evonorm_b0", "evonorm_s0"]
