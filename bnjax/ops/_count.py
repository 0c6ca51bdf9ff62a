"""How many cells count, as a float: 2^31 of them do not fit int32."""

import math

import jax
import jax.numpy as jnp
from jax import lax

from bnjax.ops import _axes

_MOST = 2**31  # The first that int32 does not hold.


def counted(
  shape: tuple[int, ...],
  mask: jax.Array | None,
  axes: tuple[int, ...],
  dtype: jnp.dtype,
) -> jax.Array:
  """Returns how many cells of a shape count, or the sum of their weights.

  Right to a float's rounding at any size, 0 where an axis is empty. A scalar
  unless the mask, which may be one of weights, differs between features.
  """
  if mask is None:
    return number(math.prod(shape[axis] for axis in axes), dtype)
  total = _sum(mask, axes, dtype)
  # The axes along which the mask is one cell that stands for all.
  repeats = math.prod(shape[a] for a in axes if mask.shape[a] == 1)
  total = total * number(repeats, dtype)
  features = _axes.feature_shape(shape, axes)
  if total.size == 1 and features:
    return total.reshape(())
  return jnp.broadcast_to(total, features)


def number(size: int, dtype: jnp.dtype) -> jax.Array:
  """Returns a size, which may be symbolic, as a float."""
  if isinstance(size, int):
    return jnp.asarray(float(size), dtype)
  return jnp.asarray(size).astype(dtype)


def _sum(mask: jax.Array, axes: tuple[int, ...], dtype: jnp.dtype) -> jax.Array:
  """Returns how many are True: in int32, where they are many in parts."""
  if mask.dtype != jnp.bool_:
    return mask.sum(axes).astype(dtype)
  cells = math.prod(mask.shape[axis] for axis in axes)
  if not isinstance(cells, int) or cells < _MOST:
    return mask.sum(axes, dtype=jnp.int32).astype(dtype)
  longest = max(axes, key=lambda axis: mask.shape[axis])
  size = mask.shape[longest]
  rows = 1 << ((_MOST - 1) // (cells // size)).bit_length() - 1
  total = jnp.zeros((), dtype)
  for start in range(0, size, rows):
    stop = min(start + rows, size)
    part = lax.slice_in_dim(mask, start, stop, axis=longest)
    total = _sum(part, axes, dtype) + total
  return total
