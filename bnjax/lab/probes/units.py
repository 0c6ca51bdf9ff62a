"""Measures of a layer's units: dead ones, ranks, coherence."""

import jax
import jax.numpy as jnp

from bnjax.lab.probes._rows import as_rows, scaled
from bnjax.ops import batch_moments


def dead_units(x: jax.Array, *, threshold: float | None = 0.0) -> jax.Array:
  """Returns the share of features that no example moves.

  A unit is dead where it is not above `threshold` for any example (before or
  after a ReLU, with the default), or has the same value for all examples.

  Args:
    x: activations `[n, ..., features]`.
    threshold: None where only a constant unit is dead, as for tanh.

  Returns:
    A scalar in [0, 1].

  Example:
    >>> dead_units(jnp.array([[0.0, 1.0, 7.0, 0.0], [0.0, 2.0, 7.0, 9.0]]))
    Array(0.5, dtype=float32)
  """
  rows = as_rows(x)
  highest = jnp.max(rows, axis=0)
  dead = highest <= jnp.min(rows, axis=0)
  if threshold is not None:
    dead = dead | (highest <= threshold)
  return jnp.mean(dead, dtype=rows.dtype)


def coherence(x: jax.Array) -> jax.Array:
  """Returns which share of numbers is left in their sum over examples.

  `Σ |Σ x| / Σ Σ |x|`, the outer sums over features and the inner ones over
  examples: 1 where of each feature all have the same sign, about `n^-1/2` where
  signs are random. Of gradients it says whether all examples push alike.

  Args:
    x: numbers `[n, ..., features]`.

  Returns:
    A scalar in [0, 1]; NaN where all numbers are 0.

  Reference:
    Bjorck et al. (2018), arXiv:1806.02375, table 1.

  Example:
    >>> coherence(jnp.array([[1.0, 3.0], [2.0, -3.0]]))
    Array(0.33333334, dtype=float32)
  """
  rows, _ = scaled(as_rows(x))
  sums = jnp.abs(jnp.sum(rows, axis=0))
  return jnp.sum(sums) / jnp.sum(jnp.abs(rows))


def effective_rank(x: jax.Array, *, center: bool = True) -> jax.Array:
  """Returns the effective rank, `exp(-Σ p log p)` with `p = σ / Σ σ`.

  σ are the singular values of the matrix `[examples, features]`, each feature
  less its mean. It lies between 1 and the rank: k for k equal singular values.

  Args:
    x: activations `[..., features]`, or a kernel, whose last axis are outputs.
    center: subtract the means; not for a kernel.

  Returns:
    A scalar; 0 where all singular values are.

  Reference:
    Roy and Vetterli (2007), The effective rank: a measure of effective
    dimensionality, EUSIPCO.

  Example:
    >>> effective_rank(jnp.diag(jnp.array([5.0, 5.0, 0.0])), center=False)
    Array(2., dtype=float32)
  """
  rows = _rows(x, center)
  values = jnp.linalg.svd(rows, compute_uv=False)
  total = jnp.sum(values)
  p = values / jnp.where(total == 0, 1, total)
  entropy = -jnp.sum(jnp.where(p == 0, 0, p * jnp.log(jnp.where(p == 0, 1, p))))
  return jnp.where(total == 0, 0, jnp.exp(entropy))


def participation_ratio(x: jax.Array, *, center: bool = False) -> jax.Array:
  """Returns the participation ratio, `(tr M)² / ||M||²` with `M = xᵀ x`.

  It is `(Σ λ)² / Σ λ²` of the eigenvalues λ of the matrix of second moments of
  the features, the Frobenius norm's square being Σ λ²; a rank of which each
  direction counts by its variance. It lies between 1 and the rank: k for k
  equal eigenvalues.

  Args:
    x: activations `[..., features]`, or a kernel.
    center: subtract each feature's mean first.

  Returns:
    A scalar; 0 where all eigenvalues are, NaN of what is not finite.

  Reference:
    Daneshmand et al. (2020), Batch normalization provably avoids ranks
    collapse for randomly initialised deep networks, arXiv:2003.01652, its
    lower bound r(H) of the rank.

  Example:
    >>> participation_ratio(jnp.diag(jnp.array([5.0, 5.0, 0.0])))
    Array(2., dtype=float32)
    >>> participation_ratio(jnp.array([[3.0, 6.0], [1.0, 2.0]])).round(4)
    Array(1., dtype=float32)
  """
  rows = _rows(x, center)
  n, features = rows.shape
  gram = rows.T @ rows if features <= n else rows @ rows.T
  squares = jnp.sum(jnp.square(gram))
  ratio = jnp.square(jnp.trace(gram)) / jnp.where(squares == 0, 1, squares)
  return jnp.where(squares == 0, 0, ratio)


def _rows(x: jax.Array, center: bool) -> jax.Array:
  """Examples by features, at a scale whose squares neither over- nor underflow.

  With `center` less the exact mean: what is constant becomes 0, not noise.
  """
  rows = as_rows(x)
  if center:
    rows = rows - batch_moments(rows).mean[None]
  return scaled(rows)[0]
