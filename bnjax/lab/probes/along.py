"""Measures of an array whose examples are in an order, as along a line."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp

from bnjax.lab.probes._rows import as_rows, scaled


def values(x: jax.Array) -> jax.Array:
  """Returns `x` as it is, to be recorded whole, of at least float32.

  >>> values(jnp.array([[1, 2], [3, 4]]))
  Array([[1., 2.],
         [3., 4.]], dtype=float32)
  """
  return as_rows(x).reshape(jnp.shape(x))


def autocorrelation(x: jax.Array, lags: Sequence[int] = (1,)) -> jax.Array:
  """Returns how alike the rows are that lie `lag` apart, for each lag.

  `Σ_i y_i · y_{i+lag} / Σ_i |y_i|²`, y being x less its mean over the rows: the
  biased estimate, whose sum has `lag` terms less than what it is divided by. It
  is 1 at lag 0, and about 0 at others of white noise.

  Args:
    x: `[rows, ..., features]`, all but the first axis taken as features.
    lags: of at least 0; static.

  Returns:
    `[lags]`; NaN where no rows lie so far apart, or all are the same.

  Raises:
    ValueError: a lag is negative.

  Reference:
    Box and Jenkins, Time series analysis, section 2.1; of gradients along a
    line of inputs: Balduzzi et al. (2017), The shattered gradients problem,
    arXiv:1702.08591.

  Example:
    >>> autocorrelation(jnp.array([1.0, -1.0, 1.0, -1.0]), lags=(0, 1, 2))
    Array([ 1.  , -0.75,  0.5 ], dtype=float32)
  """
  rows = as_rows(x)
  rows, _ = scaled(rows.reshape(jnp.shape(x)[0], -1))
  n = rows.shape[0]
  if min(lags) < 0:
    raise ValueError(f"a lag is at least 0, and one is {min(lags)}")
  y = rows - jnp.mean(rows, axis=0, keepdims=True)
  products = [
    jnp.vdot(y[: n - lag], y[lag:]) if lag < n else jnp.nan for lag in lags
  ]
  return jnp.asarray(products) / jnp.sum(jnp.square(y))
