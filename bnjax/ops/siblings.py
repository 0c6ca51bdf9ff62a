"""Layer, group, instance and RMS norm: batch norm over other axes.

Each takes the statistics of one example, so that training and inference are
the same function, and there is nothing to keep between batches.
"""

from collections.abc import Sequence

from jax import lax
from jaxtyping import Array, Bool, Float

from bnjax.ops import _axes, _devices, _shared
from bnjax.ops._by_shards import transform
from bnjax.ops._derivative import Affine, Plan, split_epsilon
from bnjax.ops._explicit import place, shards
from bnjax.ops._statistics import valid


def layer_norm(
  x: Float[Array, "..."],
  scale: Float[Array, "..."] | None = None,
  bias: Float[Array, "..."] | None = None,
  *,
  reduction_axes: int | Sequence[int] = -1,
  feature_axes: int | Sequence[int] = -1,
  epsilon: float | Float[Array, ""] = 1e-6,
  mask: Bool[Array, "..."] | None = None,
  axis_name: str | tuple[str, ...] | None = None,
  axis_index_groups: Sequence[Sequence[int]] | None = None,
) -> Float[Array, "..."]:
  """Normalizes each example by the mean and variance of its features.

  y = (x - mean) / sqrt(var + epsilon) * scale + bias

  Args:
    x: real floating array; statistics are kept in at least float32.
    scale: with the shape of the feature axes, in array order; or None.
    bias: likewise.
    reduction_axes: the axes that are averaged over.
    feature_axes: the axes that scale and bias belong to.
    epsilon: added to the variance; one number, which may be traced.
    mask: True where x counts; broadcasts to x. Masked cells of y are 0.
    axis_name: named axes over which the features of an example are sharded.
    axis_index_groups: lists of indices along axis_name that pool together.

  Returns:
    An array of x's shape and dtype.

  Raises:
    TypeError: x is complex or not floating; mask is not boolean.
    ValueError: axes or shapes that do not fit; or one number to average,
      whose variance is 0 whatever it is.

  Reference:
    Ba, Kiros and Hinton (2016), arXiv:1607.06450.

  Example:
    >>> import jax.numpy as jnp
    >>> from bnjax.ops import layer_norm
    >>> layer_norm(jnp.array([[1.0, 5.0]]), epsilon=0.0)
    Array([[-1.,  1.]], dtype=float32)
  """
  x = _axes.as_array(x)
  axes = _shared.axes_of(x.ndim, reduction_axes)
  pool = _devices.make_pool(axis_name, axis_index_groups)
  y, mask = _standardize(x, axes, epsilon, mask, pool)
  return _finish(y, scale, bias, feature_axes, mask, x)


def group_norm(
  x: Float[Array, "..."],
  scale: Float[Array, " features"] | None = None,
  bias: Float[Array, " features"] | None = None,
  *,
  groups: int,
  feature_axis: int = -1,
  batch_axes: int | Sequence[int] = 0,
  epsilon: float | Float[Array, ""] = 1e-6,
  mask: Bool[Array, "..."] | None = None,
  axis_name: str | tuple[str, ...] | None = None,
  axis_index_groups: Sequence[Sequence[int]] | None = None,
) -> Float[Array, "..."]:
  """Normalizes each example by the statistics of groups of its features.

  y = (x - mean) / sqrt(var + epsilon) * scale + bias, where mean and var are
  over all axes but the batch's, and over features / groups features together.
  One group is layer norm over all those axes; as many groups as features are
  instance norm.

  Args:
    x: real floating array; statistics are kept in at least float32.
    scale: one number per feature, or None.
    bias: likewise.
    groups: how many groups of consecutive features; divides the features.
    feature_axis: the axis of the features.
    batch_axes: the axes of the examples.
    epsilon: added to the variance; one number, which may be traced.
    mask: True where x counts; broadcasts to x. Masked cells of y are 0.
    axis_name: named axes over which an example's other axes are sharded.
    axis_index_groups: lists of indices along axis_name that pool together.

  Returns:
    An array of x's shape and dtype.

  Raises:
    TypeError: x is complex or not floating; mask is not boolean.
    ValueError: axes, shapes or groups that do not fit; or one number per
      group, whose variance is 0 whatever it is.

  Reference:
    Wu and He (2018), arXiv:1803.08494.

  Example:
    >>> import jax.numpy as jnp
    >>> from bnjax.ops import group_norm
    >>> x = jnp.array([[1.0, 5.0, 0.0, 2.0]])
    >>> group_norm(x, groups=2, epsilon=0.0)
    Array([[-1.,  1., -1.,  1.]], dtype=float32)
  """
  x = _axes.as_array(x)
  inside = _shared.within_example(x.ndim, feature_axis, batch_axes)
  (axis,) = _shared.axes_of(x.ndim, feature_axis)
  _shared.check_groups("features", groups, x.shape[axis])
  given, x = x, _shared.in_groups(x, axis, groups)
  mask = _axes.as_mask(mask, x)
  apart = None if mask is None else _shared.split(mask, axis, groups)
  axes = _shared.split_axes(inside, axis)
  pool = _devices.make_pool(axis_name, axis_index_groups)
  parts = _shared.split(valid(x, mask), axis, groups)
  y, _ = _standardize(parts, axes, epsilon, apart, pool)
  y = _finish(y.reshape(x.shape), scale, bias, feature_axis, mask, x)
  return place(y, shards(given), given)


def instance_norm(
  x: Float[Array, "..."],
  scale: Float[Array, " features"] | None = None,
  bias: Float[Array, " features"] | None = None,
  *,
  feature_axis: int = -1,
  batch_axes: int | Sequence[int] = 0,
  epsilon: float | Float[Array, ""] = 1e-6,
  mask: Bool[Array, "..."] | None = None,
  axis_name: str | tuple[str, ...] | None = None,
  axis_index_groups: Sequence[Sequence[int]] | None = None,
) -> Float[Array, "..."]:
  """Normalizes each feature of each example by its statistics over space.

  y = (x - mean) / sqrt(var + epsilon) * scale + bias

  Args:
    x: real floating array; statistics are kept in at least float32.
    scale: one number per feature, or None.
    bias: likewise.
    feature_axis: the axis of the features.
    batch_axes: the axes of the examples; all others are space.
    epsilon: added to the variance; one number, which may be traced.
    mask: True where x counts; broadcasts to x. Masked cells of y are 0.
    axis_name: named axes over which space is sharded.
    axis_index_groups: lists of indices along axis_name that pool together.

  Returns:
    An array of x's shape and dtype.

  Raises:
    TypeError: x is complex or not floating; mask is not boolean.
    ValueError: axes or shapes that do not fit; or no space, or a single
      position: one number has no variance.

  Reference:
    Ulyanov, Vedaldi and Lempitsky (2016), arXiv:1607.08022.

  Example:
    >>> import jax.numpy as jnp
    >>> from bnjax.ops import instance_norm
    >>> instance_norm(jnp.array([[[1.0], [5.0]]]), epsilon=0.0)
    Array([[[-1.], [ 1.]]], dtype=float32)
  """
  x = _axes.as_array(x)
  axes = _shared.within_example(x.ndim, feature_axis, batch_axes)
  pool = _devices.make_pool(axis_name, axis_index_groups)
  y, mask = _standardize(x, axes, epsilon, mask, pool)
  return _finish(y, scale, bias, feature_axis, mask, x)


def rms_norm(
  x: Float[Array, "..."],
  scale: Float[Array, "..."] | None = None,
  *,
  reduction_axes: int | Sequence[int] = -1,
  feature_axes: int | Sequence[int] = -1,
  epsilon: float | Float[Array, ""] = 1e-6,
  mask: Bool[Array, "..."] | None = None,
  axis_name: str | tuple[str, ...] | None = None,
  axis_index_groups: Sequence[Sequence[int]] | None = None,
) -> Float[Array, "..."]:
  """Divides each example by the root of the mean square of its features.

  y = x / sqrt(mean(x^2) + epsilon) * scale

  Args:
    x: real floating array; squares are summed in at least float32.
    scale: with the shape of the feature axes, in array order; or None.
    reduction_axes: the axes that are averaged over.
    feature_axes: the axes that scale belongs to.
    epsilon: added to the mean square.
    mask: True where x counts; broadcasts to x. Masked cells of y are 0.
    axis_name: named axes over which the features of an example are sharded.
    axis_index_groups: lists of indices along axis_name that pool together.

  Returns:
    An array of x's shape and dtype.

  Raises:
    TypeError: x is complex or not floating; mask is not boolean.
    ValueError: axes or shapes that do not fit.

  Reference:
    Zhang and Sennrich (2019), arXiv:1910.07467.

  Example:
    >>> import jax.numpy as jnp
    >>> from bnjax.ops import rms_norm
    >>> rms_norm(jnp.array([[1.0, 7.0]]), epsilon=0.0)
    Array([[0.2, 1.4]], dtype=float32)
  """
  x = _axes.as_array(x)
  mask = _axes.as_mask(mask, x)
  wide = valid(x, mask).astype(_axes.statistics_dtype(x.dtype))
  axes = _shared.axes_of(x.ndim, reduction_axes)
  pool = _devices.make_pool(axis_name, axis_index_groups)
  square = _shared.mean_square(wide, axes, mask, pool)
  y = wide * lax.rsqrt(square + epsilon)
  return _finish(y, scale, None, feature_axes, mask, x)


def _standardize(
  x: Array,
  axes: tuple[int, ...],
  epsilon: float | Array,
  mask: Array | None,
  pool: _devices.Pool,
) -> tuple[Array, Array | None]:
  """Returns x normalized over the axes, and the mask with x's axes."""
  mask = _axes.as_mask(mask, x)
  if pool.axis_name is None:
    _shared.check_count(x, axes)
  wide = valid(x, mask).astype(_axes.statistics_dtype(x.dtype))
  known, traced = split_epsilon(epsilon, wide.dtype)
  plan = Plan(axes, pool, known)
  return transform(plan, wide, mask, Affine(None, None, traced))[0], mask


def _finish(
  y: Array,
  scale: Array | None,
  bias: Array | None,
  feature_axes: int | Sequence[int],
  mask: Array | None,
  x: Array,
) -> Array:
  """Returns y with scale and bias, 0 where masked, in x's dtype."""
  y = _shared.affine(y, scale, bias, feature_axes)
  return valid(y, mask).astype(x.dtype)


__all__ = ["group_norm", "instance_norm", "layer_norm", "rms_norm"]
