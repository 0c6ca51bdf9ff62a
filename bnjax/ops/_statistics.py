"""Exact sums of one array: a count, a mean in two parts, and deviations.

A float32 mean of numbers near 1e4 is off by 5e-4, which is 5e-4 of the output
when their standard deviation is 1. So the mean is kept as `shift + rest`:
`shift` is a number near the data, `rest` the mean of what remains after
subtracting it. `(x - shift) - rest` is then right to the last place.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from bnjax.ops import _axes
from bnjax.ops._count import counted
from bnjax.ops._sample import sample


class Statistics(NamedTuple):
  """Per feature: count, mean as shift + rest, sum of squared deviations."""

  count: jax.Array  # type: ignore[assignment]
  shift: jax.Array
  rest: jax.Array
  m2: jax.Array

  @property
  def var(self) -> jax.Array:
    """The biased variance; 0 where nothing was counted."""
    return self.m2 / divisor(self.count)


def divisor(count: jax.Array) -> jax.Array:
  """Returns the count to divide by: 1 where nothing was counted."""
  return jnp.where(count > 0, count, jnp.ones_like(count))


def spread(counts: jax.Array, var: jax.Array, epsilon: Any) -> jax.Array:
  """Returns var + epsilon to divide by: 1 where too little counts for one.

  Cells that are all 0 are divided there, also where epsilon is 0. NaN where
  the squares overflow, to be seen: by infinity, a batch would become zeros.
  """
  wide = jnp.where(counts, var + epsilon, jnp.ones_like(var))
  return wide + 0 * wide


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
  x: jax.Array,
  mask: jax.Array | None,
  axes: tuple[int, ...],
  weights: jax.Array | None = None,
) -> Statistics:
  """Returns the statistics of x over the given axes.

  Weights broadcast to x, and are 0 where it does not count.
  """
  dtype = _axes.statistics_dtype(x.dtype)
  if weights is not None:
    mask = weights > 0
  count = counted(x.shape, mask if weights is None else weights, axes, dtype)
  x = valid(x, mask)
  shift = _shift(x, mask if weights is None else weights, axes, count)
  if mask is None:
    copy, shift_copy = own(x, shift)
    near = centre(copy, shift_copy, None, axes)
    copy, shift_copy = own(copy, shift_copy)
    again = centre(copy, shift_copy, None, axes)
  else:  # A choice is written to memory in any case: once is enough.
    near = again = valid(centre(x, shift, None, axes), mask)
  squares = jnp.square(again)
  if weights is not None:
    near, squares = near * weights, squares * weights
  total = near.sum(axes)
  rest = total / divisor(count)
  m2 = jnp.maximum(squares.sum(axes) - total * rest, 0)
  return Statistics(count, shift, rest, m2)


def _shift(
  x: jax.Array,
  cells: jax.Array | None,
  axes: tuple[int, ...],
  count: jax.Array,
) -> jax.Array:
  """Returns a number near each feature's data.

  Any will do: a distance of d standard deviations to the mean costs a factor
  1 + d^2 in the rounding of the variance. Of a whole batch it is the mean of a
  sample, see there for the bound on d. With a mask, or weights, the sample
  might count for nothing: it is the mean, for one more sum over x.
  """
  if cells is None:
    x, axes = sample(x, axes)
    count = counted(x.shape, None, axes, count.dtype)
  share = 1 / divisor(count)
  if share.ndim:
    share = lax.expand_dims(share, axes)
  if cells is not None and cells.dtype != jnp.bool_:
    share = share * cells
  # Multiplied before it is summed, so that the sum needs no settling.
  return (x.astype(count.dtype) * share).sum(axes)
