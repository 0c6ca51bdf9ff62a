"""Pooling by maxima and sums of shifted slices.

`flax.linen.max_pool` and `avg_pool` are windowed reductions. XLA on CPU walks
through their windows one value at a time: the gradient of a 3x3 maximum takes
five times as long as this and more, and an average over ones is folded at
compile time for seconds. A square window is one over rows and one over columns,
and each is an elementwise operation between slices, which every backend fuses.
"""

import functools
import math

import jax
import jax.numpy as jnp
import numpy as np


def max_pool(x: jax.Array, *, window: int, stride: int = 1) -> jax.Array:
  """Maximum over square windows, as `flax.linen.max_pool(padding="SAME")`.

  Where several values of a window are the largest, they share the gradient;
  in Flax the first has it all. Behind a relu these are zeros, whose gradient
  the relu stops.

  Args:
    x: `[n, height, width, features]` of a floating dtype.
    window: rows and columns of a window.
    stride: between windows.

  Returns:
    `[n, ceil(height / stride), ceil(width / stride), features]` in x's dtype.

  Example:
    >>> x = jnp.arange(9.0).reshape(1, 3, 3, 1)
    >>> max_pool(x, window=3, stride=2)[0, :, :, 0]
    Array([[4., 5.],
           [7., 8.]], dtype=float32)
  """
  for axis in (1, 2):
    slices = _shifted(x, axis, window, stride, -math.inf)
    x = functools.reduce(jnp.maximum, slices)
  return x


def average_pool(x: jax.Array, *, window: int, stride: int = 1) -> jax.Array:
  """Mean over square windows; what is outside the image does not count.

  As `flax.linen.avg_pool(padding="SAME", count_include_pad=False)`.

  Example:
    >>> x = jnp.arange(9.0).reshape(1, 3, 3, 1)
    >>> average_pool(x, window=3, stride=2)[0, :, :, 0]
    Array([[2., 3.],
           [5., 6.]], dtype=float32)
  """
  counts = []
  for axis in (1, 2):
    counts.append(_members(x.shape[axis], window, stride))
    x = functools.reduce(jnp.add, _shifted(x, axis, window, stride, 0.0))
  scale = 1 / np.outer(*counts)
  return x * jnp.asarray(scale[None, :, :, None], x.dtype)


def same_windows(size: int, window: int, stride: int) -> tuple[int, int, int]:
  """How many windows there are, and the padding on either side."""
  windows = -(-size // stride)
  missing = max((windows - 1) * stride + window - size, 0)
  return windows, missing // 2, missing - missing // 2


def _shifted(
  x: jax.Array, axis: int, window: int, stride: int, fill: float
) -> list[jax.Array]:
  """Returns for each place in a window the slice of what stands there."""
  windows, before, after = same_windows(x.shape[axis], window, stride)
  padding = [(0, 0)] * x.ndim
  padding[axis] = (before, after)
  x = jnp.pad(x, padding, constant_values=fill)
  last = (windows - 1) * stride + 1
  return [
    jax.lax.slice_in_dim(x, at, at + last, stride, axis) for at in range(window)
  ]


def _members(size: int, window: int, stride: int) -> np.ndarray:
  """Returns how many places of each window lie inside."""
  windows, before, _ = same_windows(size, window, stride)
  starts = np.arange(windows) * stride - before
  return np.minimum(starts + window, size) - np.maximum(starts, 0)
