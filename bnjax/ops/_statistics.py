"""Exact sums of one array: a count, a mean in two parts, and deviations.

A float32 mean of numbers near 1e4 is off by 5e-4, which is 5e-4 of the output
when their standard deviation is 1. So the mean is kept as `shift + rest`:
`shift` is a number near the data, `rest` the mean of what remains after
subtracting it. `(x - shift) - rest` is then right to the last place.
"""

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from bnjax.ops import _axes

_SAMPLE = 32  # Cells per feature whose mean is the shift: 32 to 63.


class Statistics(NamedTuple):
  """Per feature: count, mean as shift + rest, sum of squared deviations."""

  count: jax.Array  # type: ignore[assignment]
  shift: jax.Array
  rest: jax.Array
  m2: jax.Array

  @property
  def var(self) -> jax.Array:
    """The biased variance; 0 where nothing was counted."""
    return self.m2 / jnp.maximum(self.count, 1)


def valid(x: jax.Array, mask: jax.Array | None) -> jax.Array:
  """Returns x with 0 in its masked cells, whatever they held."""
  return x if mask is None else jnp.where(mask, x, jnp.zeros_like(x))


def centre(
  x: jax.Array,
  shift: jax.Array,
  rest: jax.Array | None,
  axes: tuple[int, ...],
) -> jax.Array:
  """Returns x - shift - rest in the statistics' dtype."""
  x = x.astype(shift.dtype) - lax.expand_dims(shift, axes)
  return x if rest is None else x - lax.expand_dims(rest, axes)


def own(x: jax.Array, *vectors: jax.Array) -> tuple[jax.Array, ...]:
  """Returns the same arrays, which the compiler takes for others.

  XLA's sums on CPU absorb only what nothing else uses: had two of them
  `x - shift` in common, or x in float32 when it is bfloat16, it would be
  written to memory and read twice.
  """
  if x.dtype == vectors[0].dtype:
    return x, *lax.optimization_barrier(vectors)
  return lax.optimization_barrier((x, *vectors))


def settle(shift: jax.Array) -> jax.Array:
  """Returns a shift that is one and the same number wherever it is used.

  A compiler may compute a quotient again beside each use, and there fuse it
  with the subtraction without rounding it. It may not do so with these bits.
  """
  info = jnp.finfo(shift.dtype)
  return lax.reduce_precision(shift, info.nexp, info.nmant - 1)


def collect(
  x: jax.Array, mask: jax.Array | None, axes: tuple[int, ...]
) -> Statistics:
  """Returns the statistics of x over the given axes."""
  shift = _shift(x, mask, axes)
  count = _count(x, mask, axes).astype(shift.dtype)
  if mask is None:
    copy, shift_copy = own(x, shift)
    near = centre(copy, shift_copy, None, axes)
    copy, shift_copy = own(copy, shift_copy)
    again = centre(copy, shift_copy, None, axes)
  else:  # A choice is written to memory in any case: once is enough.
    near = again = valid(centre(x, shift, None, axes), mask)
  total = near.sum(axes)
  squares = jnp.square(again).sum(axes)
  rest = total / jnp.maximum(count, 1)
  return Statistics(count, shift, rest, jnp.maximum(squares - total * rest, 0))


def _count(
  x: jax.Array, mask: jax.Array | None, axes: tuple[int, ...]
) -> jax.Array:
  """Returns how many cells count: a scalar unless the mask has features."""
  if mask is None:
    mask = jnp.ones((1,) * x.ndim, bool)
  repeats = 1
  for axis in axes:
    repeats *= x.shape[axis] // mask.shape[axis] if x.shape[axis] else 0
  count = mask.sum(axes, dtype=jnp.int32) * repeats
  features = _axes.feature_shape(x.shape, axes)
  if count.size == 1 and features:
    return count.reshape(())
  return jnp.broadcast_to(count, features)


def _shift(
  x: jax.Array, mask: jax.Array | None, axes: tuple[int, ...]
) -> jax.Array:
  """Returns a number near each feature's data.

  Any will do: a distance of d standard deviations to the mean costs a factor
  1 + d^2 in the rounding of the variance. Without a mask it is the mean of
  some cells, spread over the first averaged axis and in the middle of the
  others; for c of n cells d^2 is below n / c whatever the data. With a mask
  those might all be masked: it is the mean, for one more sum over x.
  """
  x = valid(x, mask).astype(_axes.statistics_dtype(x.dtype))
  if mask is not None:
    count = mask.sum(axes, dtype=jnp.int32, keepdims=True)
    repeats = math.prod(x.shape[axis] // mask.shape[axis] for axis in axes)
    return (x / jnp.maximum(count * repeats, 1).astype(x.dtype)).sum(axes)
  for axis in axes:
    size = x.shape[axis]
    if axis == axes[0]:
      x = lax.slice_in_dim(x, 0, size, max(size // _SAMPLE, 1), axis)
    elif size:
      x = lax.slice_in_dim(x, size // 2, size // 2 + 1, axis=axis)
  # Divided before it is summed, so that the sum needs no settling.
  cells = math.prod(x.shape[axis] for axis in axes)
  return (x * (1 / max(cells, 1))).sum(axes)
