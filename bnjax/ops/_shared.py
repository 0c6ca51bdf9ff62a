"""What the relatives of batch norm share: affine maps, groups, mean squares."""

import math
from functools import partial

import jax
import jax.numpy as jnp
from jax import lax

from bnjax.ops import _arguments, _axes, _devices, _explicit
from bnjax.ops._count import counted
from bnjax.ops._statistics import Statistics, centre, divisor, spread, valid


def affine(
  y: jax.Array,
  scale: jax.Array | None,
  bias: jax.Array | None,
  feature_axes: _axes.Axes,
) -> jax.Array:
  """Returns y * scale + bias in y's dtype."""
  if scale is not None:
    y = y * along("scale", scale, y, feature_axes)
  return y if bias is None else y + along("bias", bias, y, feature_axes)


def along(
  name: str, vector: jax.Array, x: jax.Array, feature_axes: _axes.Axes
) -> jax.Array:
  """Returns a vector of the features with x's axes and dtype, once checked."""
  reduced = _axes.reduced_axes(x.ndim, feature_axes)
  vector = _axes.per_feature(name, vector, x, reduced).astype(x.dtype)
  return lax.expand_dims(vector, reduced)


def standardized(
  x: jax.Array,
  mask: jax.Array | None,
  stats: Statistics,
  gain: jax.Array,
  bias: jax.Array,
  axes: tuple[int, ...],
) -> jax.Array:
  """Returns (x - mean) * gain + bias, storing x and vectors only."""
  vectors = stats.shift, stats.rest, gain, bias

  @partial(jax.checkpoint, prevent_cse=False)
  def apply(x: jax.Array, *vectors: jax.Array) -> jax.Array:
    shift, rest, gain, bias = _devices.vary_like(vectors, x)
    y = centre(x, shift, rest, axes) * lax.expand_dims(gain, axes)
    return (y + lax.expand_dims(bias, axes)).astype(x.dtype)

  return valid(apply(valid(x, mask), *vectors), mask)


def mean_square(
  x: jax.Array,
  axes: tuple[int, ...],
  mask: jax.Array | None,
  pool: _devices.Pool,
) -> jax.Array:
  """Returns the mean of x^2 over the axes, which it keeps; to divide by."""
  total = jnp.square(valid(x, mask)).sum(axes, keepdims=True)
  count = counted(x.shape, mask, axes, x.dtype)
  total, count = _devices.pool_sums(pool, (total, count))
  if count.ndim:
    count = lax.expand_dims(count, axes)
  return spread(count > 0, total / divisor(count), 0.0)


def axes_of(ndim: int, axes: _axes.Axes) -> tuple[int, ...]:
  """Returns axes counted from the front, in order."""
  kept = _axes.reduced_axes(ndim, axes)
  return tuple(axis for axis in range(ndim) if axis not in kept)


def within_example(
  ndim: int, feature_axis: int, batch_axes: _axes.Axes
) -> tuple[int, ...]:
  """Returns the axes that belong to neither the batch nor the features."""
  batch = _arguments.integers("batch_axes", batch_axes)
  return _axes.reduced_axes(ndim, (*batch, feature_axis))


def in_groups(x: jax.Array, axis: int, groups: int) -> jax.Array:
  """Returns x, with its axis in one piece if a group lies on several shards."""
  if groups % _explicit.number(x, axis):
    return _explicit.whole(x, axis)
  return x


def split(x: jax.Array, axis: int, groups: int) -> jax.Array:
  """Returns x with its axis, counted from the front, as groups and the rest.

  An axis of size 1, of a mask, becomes two of them.
  """
  size = x.shape[axis]
  pair = (1, 1) if size == 1 else (groups, size // groups)
  return x.reshape(*x.shape[:axis], *pair, *x.shape[axis + 1 :])


def split_axes(axes: tuple[int, ...], axis: int) -> tuple[int, ...]:
  """Returns axes of an array as they are after `split`, and the group's own."""
  return (*(a + (a > axis) for a in axes), axis + 1)


def check_groups(what: str, groups: int, size: int) -> None:
  """Raises unless groups is a number, and that many divide the size."""
  _arguments.count("groups", groups, f"the number of groups of {what}")
  if groups < 1 or size % groups:
    raise ValueError(f"{groups} groups do not divide {size} {what}.")


def check_count(
  x: jax.Array | jax.ShapeDtypeStruct, axes: tuple[int, ...]
) -> None:
  """Raises ValueError if there is one number to average."""
  if math.prod(x.shape[axis] for axis in axes) == 1:
    raise ValueError(
      "One number has no variance to normalize by: average over more rows, "
      f"positions or features than x {x.shape} has."
    )
