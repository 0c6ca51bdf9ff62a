"""A few of a batch's cells, whose mean is near that of all: provably.

Sums of squares are taken about a shift, a number near the data. Let it be s,
d = (s - mean) / sqrt(var) its distance to the mean of the n cells in standard
deviations, and u the relative rounding of a sum of positive numbers. Then

  n var = sum((x - s)^2) - sum(x - s)^2 / n,

whose first sum is n var (1 + d^2), rounded by u times that, and whose second
is n var d^2, rounded by 2 u n var d sqrt(1 + d^2), as sum(|x - s|) is at most
n sqrt(var (1 + d^2)). So the variance is right to 3 u (1 + d^2), relatively.

If s is the mean of c cells, whichever they are, then d^2 <= n / c - 1. With
a = x - mean, which sums to 0, the sum A of a over the c cells is less that over
the others, and Cauchy and Schwarz bound either: A^2 <= c * (sum of a^2 over the
c) and A^2 <= (n - c) * (sum over the others). Divided by c and n - c and added,
A^2 (1/c + 1/(n-c)) <= n var, and (s - mean)^2 = A^2 / c^2 <= var (n / c - 1).

Here n / c is at most 16. Hence d^2 <= 15 whatever the data and wherever its
outliers, borders, sentinels and padding are, those that meet the sample
exactly, too; spread over data without structure, d^2 is about 1 / c.
"""

import math

import jax
from jax import lax

_STEP = 16  # One cell of so many: the bound above.
_LEAST = 32  # Cells per feature, of which all are taken if they are fewer.


def sample(
  x: jax.Array, axes: tuple[int, ...]
) -> tuple[jax.Array, tuple[int, ...]]:
  """Returns at least a 16th of x along the averaged axes, and where they are.

  Every so many rows of the second averaged axis, then of those that follow,
  and of the first, the examples, if that is not enough: it is the one that is
  sharded, if one is, and a step that does not divide its shards moves cells
  between devices. What is known to be sharded is cut within each shard.
  """
  left = _step(math.prod(x.shape[axis] for axis in axes))
  x, axes = _unshard(x, axes)
  for axis in (*axes[1:], *axes[:1]):
    size = x.shape[axis]
    step = min(left, size) if isinstance(size, int) else left
    if step > 1 and jax.typeof(x).sharding.spec[axis] is None:
      # Nothing is gained by skipping neighbours in memory: they come along.
      last = axis == x.ndim - 1
      stop, stride = (-(-size // step), 1) if last else (size, step)
      x = lax.slice_in_dim(x, 0, stop, stride, axis)
      left //= step
  return x, axes


def _step(cells: int) -> int:
  """Returns how many cells there may be to one of the sample."""
  if not isinstance(cells, int):  # A symbolic size: any, and the bound holds.
    return _STEP
  return max(min(cells // _LEAST, _STEP), 1)


def _unshard(
  x: jax.Array, axes: tuple[int, ...]
) -> tuple[jax.Array, tuple[int, ...]]:
  """Returns x with every averaged axis that is sharded as shards and rows.

  Explicit meshes refuse most slices of a sharded axis, but none of the rows.
  """
  sharding = jax.typeof(x).sharding
  for axis in reversed(axes):
    names = sharding.spec[axis]
    if names is not None:
      names = (names,) if isinstance(names, str) else names
      shards = math.prod(sharding.mesh.shape[name] for name in names)
      pair = (shards, x.shape[axis] // shards)
      x = x.reshape(*x.shape[:axis], *pair, *x.shape[axis + 1 :])
      later = tuple(a + 1 for a in axes if a > axis)
      axes = (*(a for a in axes if a <= axis), axis + 1, *later)
  return x, axes
