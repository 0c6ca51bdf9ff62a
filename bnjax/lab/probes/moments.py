"""Mean, variance, norms, and the shares of zeros and of saturated numbers.

Every function takes an array of any real type and returns a scalar of at least
float32, NaN of an empty array. None of them squares a number as it is, so what
vanishes or explodes through a deep network is still measured. XLA on a CPU
reads subnormal numbers (below 1.2e-38 in float32) as 0 and writes them as 0;
float64 goes to 2.2e-308.
"""

import jax
import jax.numpy as jnp

from bnjax.lab.probes._rows import as_rows, scaled
from bnjax.ops import Moments, batch_moments


def mean(x: jax.Array) -> jax.Array:
  """Returns the mean.

  >>> mean(jnp.array([[1.0, 5.0], [3.0, 7.0]]))
  Array(4., dtype=float32)
  """
  moments, scale = _moments(x)
  return jnp.where(moments.count > 0, moments.mean * scale, jnp.nan)


def variance(x: jax.Array) -> jax.Array:
  """Returns the biased variance.

  Exact also where the mean is much larger than the deviations. Where the result
  itself is too small for the dtype (deviations below about 1e-19 in float32) it
  is 0, and where it is too large inf: `standard_deviation` is neither there.

  >>> variance(jnp.array([1.0, 3.0]) * 2.0**-60) * 2.0**120
  Array(1., dtype=float32)
  """
  moments, scale = _moments(x)
  return jnp.where(moments.count > 0, moments.var * scale * scale, jnp.nan)


def standard_deviation(x: jax.Array) -> jax.Array:
  """Returns the root of the variance, representable wherever the numbers are.

  >>> standard_deviation(jnp.array([1e-30, 3e-30]))
  Array(1.e-30, dtype=float32)
  """
  moments, scale = _moments(x)
  return jnp.where(moments.count > 0, jnp.sqrt(moments.var) * scale, jnp.nan)


def norm(x: jax.Array) -> jax.Array:
  """Returns the Euclidean norm; 0 of nothing.

  >>> norm(jnp.array([3e-30, 4e-30]))
  Array(5.e-30, dtype=float32)
  """
  x, scale = scaled(as_rows(x))
  return jnp.sqrt(jnp.sum(jnp.square(x))) * scale


def root_mean_square(x: jax.Array) -> jax.Array:
  """Returns the norm over the root of the count: sizes of layers divide out.

  >>> root_mean_square(jnp.array([3.0, 3.0, -3.0]))
  Array(3., dtype=float32)
  """
  x, scale = scaled(as_rows(x))
  return jnp.sqrt(jnp.mean(jnp.square(x))) * scale


def zero_fraction(x: jax.Array, *, threshold: float = 0.0) -> jax.Array:
  """Returns the share of exact zeros, or of numbers up to a threshold in size.

  >>> zero_fraction(jnp.array([0.0, 1.0, -2.0, 0.0]))
  Array(0.5, dtype=float32)
  """
  x = as_rows(x)
  return jnp.mean(jnp.abs(x) <= threshold, dtype=x.dtype)


def saturated_fraction(
  x: jax.Array, *, low: float = 0.0, high: float = 1.0, margin: float = 0.05
) -> jax.Array:
  """Returns the share of numbers at the ends of a squashing function's range.

  Args:
    x: outputs of a sigmoid, say.
    low: the function's lower bound; -1 for tanh.
    high: its upper bound.
    margin: a share of the range: within `margin * (high - low)` of a bound, a
      number is saturated.

  Reference:
    Glorot and Bengio (2010), Understanding the difficulty of training deep
    feedforward neural networks, where saturation is read from such plots.

  Example:
    >>> saturated_fraction(jnp.array([0.01, 0.4, 0.99, 0.5]))
    Array(0.5, dtype=float32)
  """
  x, width = as_rows(x), margin * (high - low)
  ends = (x <= low + width) | (x >= high - width)
  return jnp.mean(ends, dtype=x.dtype)


def _moments(x: jax.Array) -> tuple[Moments, jax.Array]:
  x, scale = scaled(as_rows(x))
  return batch_moments(x, feature_axes=()), scale
