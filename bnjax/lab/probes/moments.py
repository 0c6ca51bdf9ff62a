"""Averages of an array: how large, how spread, how many zeros.

Every function takes an array `[..., features]` of any real type, and

- `mask`: bool, its axes are the first ones of the array, True where it counts
  (`[n]` selects examples);
- `per_feature`: one result per feature `[features]` rather than one of all.

They return at least float32, and NaN where nothing counts. None of them squares
a number as it is, so what vanishes or explodes through a deep network is still
measured. XLA on a CPU reads subnormal numbers (below 1.2e-38 in float32) as 0
and writes them as 0; float64 goes to 2.2e-308.
"""

import jax
import jax.numpy as jnp

from bnjax.lab.probes._rows import count, reduce_numbers, scaled, share
from bnjax.ops import Moments, batch_moments


def mean(
  x: jax.Array, *, mask: jax.Array | None = None, per_feature: bool = False
) -> jax.Array:
  """Returns the mean; arguments as the module says.

  >>> mean(jnp.array([[1.0, 5.0], [3.0, 7.0]]), per_feature=True)
  Array([2., 6.], dtype=float32)
  """

  def function(x: jax.Array, mask: jax.Array | None) -> jax.Array:
    moments, scale = _moments(x, mask)
    return jnp.where(moments.count > 0, moments.mean * scale, jnp.nan)

  return reduce_numbers(function, x, mask, per_feature)


def variance(
  x: jax.Array, *, mask: jax.Array | None = None, per_feature: bool = False
) -> jax.Array:
  """Returns the biased variance; arguments as the module says.

  Exact also where the mean is much larger than the deviations. Where the result
  itself is too small for the dtype (deviations below about 1e-19 in float32) it
  is 0, and where it is too large inf: `standard_deviation` is neither there.

  >>> variance(jnp.array([1.0, 3.0]) * 2.0**-60) * 2.0**120
  Array(1., dtype=float32)
  """

  def function(x: jax.Array, mask: jax.Array | None) -> jax.Array:
    moments, scale = _moments(x, mask)
    return jnp.where(moments.count > 0, moments.var * scale * scale, jnp.nan)

  return reduce_numbers(function, x, mask, per_feature)


def standard_deviation(
  x: jax.Array, *, mask: jax.Array | None = None, per_feature: bool = False
) -> jax.Array:
  """Returns the root of the variance; arguments as the module says.

  It is representable wherever the numbers are.

  >>> standard_deviation(jnp.array([1e-30, 3e-30]))
  Array(1.e-30, dtype=float32)
  """

  def function(x: jax.Array, mask: jax.Array | None) -> jax.Array:
    moments, scale = _moments(x, mask)
    root = jnp.sqrt(moments.var) * scale
    return jnp.where(moments.count > 0, root, jnp.nan)

  return reduce_numbers(function, x, mask, per_feature)


def norm(
  x: jax.Array, *, mask: jax.Array | None = None, per_feature: bool = False
) -> jax.Array:
  """Returns the Euclidean norm; arguments as the module says. 0 of nothing.

  >>> norm(jnp.array([3e-30, 4e-30]))
  Array(5.e-30, dtype=float32)
  """

  def function(x: jax.Array, mask: jax.Array | None) -> jax.Array:
    x, scale = scaled(x, mask)
    return jnp.sqrt(jnp.sum(jnp.square(x))) * scale

  return reduce_numbers(function, x, mask, per_feature)


def root_mean_square(
  x: jax.Array, *, mask: jax.Array | None = None, per_feature: bool = False
) -> jax.Array:
  """Returns the norm over the root of the count: sizes of layers divide out.

  >>> root_mean_square(jnp.array([3.0, 3.0, -3.0]))
  Array(3., dtype=float32)
  """

  def function(x: jax.Array, mask: jax.Array | None) -> jax.Array:
    number = count(x, mask)
    x, scale = scaled(x, mask)
    return jnp.sqrt(jnp.sum(jnp.square(x)) / number) * scale

  return reduce_numbers(function, x, mask, per_feature)


def zero_fraction(
  x: jax.Array, *, mask: jax.Array | None = None, per_feature: bool = False
) -> jax.Array:
  """Returns the share of exact zeros; arguments as the module says.

  >>> zero_fraction(jnp.array([0.0, 1.0, -2.0, 0.0]))
  Array(0.5, dtype=float32)
  """
  function = lambda x, mask: share(x == 0, mask)
  return reduce_numbers(function, x, mask, per_feature)


def saturated_fraction(
  x: jax.Array,
  *,
  low: float = 0.0,
  high: float = 1.0,
  margin: float = 0.05,
  mask: jax.Array | None = None,
  per_feature: bool = False,
) -> jax.Array:
  """Returns the share of numbers at the ends of a squashing function's range.

  Args:
    x: outputs `[..., features]` of a sigmoid, say.
    low: the function's lower bound; -1 for tanh.
    high: its upper bound.
    margin: a share of the range: within `margin * (high - low)` of a bound, a
      number is saturated.
    mask: as the module says.
    per_feature: likewise.

  Reference:
    Glorot and Bengio (2010), Understanding the difficulty of training deep
    feedforward neural networks, where saturation is read from such plots.

  Example:
    >>> saturated_fraction(jnp.array([0.01, 0.4, 0.99, 0.5]))
    Array(0.5, dtype=float32)
  """
  width = margin * (high - low)

  def function(x: jax.Array, mask: jax.Array | None) -> jax.Array:
    return share((x <= low + width) | (x >= high - width), mask)

  return reduce_numbers(function, x, mask, per_feature)


def _moments(x: jax.Array, mask: jax.Array | None) -> tuple[Moments, jax.Array]:
  x, scale = scaled(x, mask)
  return batch_moments(x, feature_axes=(), mask=mask), scale
