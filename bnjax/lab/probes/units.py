"""What the units of a layer do together: which are dead, how many are alike."""

import jax
import jax.numpy as jnp

from bnjax.lab.probes._rows import as_rows, scaled
from bnjax.ops import batch_moments


def dead_units(
  x: jax.Array,
  *,
  threshold: float | None = 0.0,
  mask: jax.Array | None = None,
) -> jax.Array:
  """Returns the share of features that no example moves.

  A unit is dead where it is not above `threshold` for any example (before or
  after a ReLU, with the default), or has the same value for all examples.

  Args:
    x: activations `[n, ..., features]`.
    threshold: None where only a constant unit is dead, as for tanh.
    mask: bool, its axes are the first ones of `x`, True where it counts.

  Returns:
    A scalar in [0, 1]; NaN where nothing counts.

  Example:
    >>> dead_units(jnp.array([[0.0, 1.0, 7.0, 0.0], [0.0, 2.0, 7.0, 9.0]]))
    Array(0.5, dtype=float32)
  """
  rows, mask = as_rows(x, mask)
  counting = jnp.ones(rows.shape, bool) if mask is None else mask
  highest = jnp.max(rows, axis=0, initial=-jnp.inf, where=counting)
  lowest = jnp.min(rows, axis=0, initial=jnp.inf, where=counting)
  dead = highest <= lowest  # and below it where nothing counts
  if threshold is not None:
    dead = dead | (highest <= threshold)
  return jnp.where(jnp.any(counting), jnp.mean(dead), jnp.nan)


def effective_rank(
  x: jax.Array, *, center: bool = True, mask: jax.Array | None = None
) -> jax.Array:
  """Returns the effective rank, `exp(-Σ p log p)` with `p = σ / Σ σ`.

  σ are the singular values of the matrix `[examples, features]`, each feature
  less its mean. It lies between 1 and the rank: k for k equal singular values.

  Args:
    x: activations `[..., features]`, or a kernel, whose last axis are outputs.
    center: subtract the means; not for a kernel.
    mask: bool, its axes are the first ones of `x`, True where it counts.

  Returns:
    A scalar; 0 where all singular values are, NaN where nothing counts.

  Reference:
    Roy and Vetterli (2007), The effective rank: a measure of effective
    dimensionality, EUSIPCO.

  Example:
    >>> effective_rank(jnp.diag(jnp.array([5.0, 5.0, 0.0])), center=False)
    Array(2., dtype=float32)
  """
  rows, mask = as_rows(x, mask)
  if center:  # by the exact mean: what is constant becomes 0, not noise
    rows = rows - batch_moments(rows, mask=mask).mean[None]
  rows, _ = scaled(rows, mask)
  values = jnp.linalg.svd(rows, compute_uv=False)
  total = jnp.sum(values)
  p = values / jnp.where(total == 0, 1, total)
  entropy = -jnp.sum(jnp.where(p == 0, 0, p * jnp.log(jnp.where(p == 0, 1, p))))
  rank = jnp.where(total == 0, 0, jnp.exp(entropy))
  return rank if mask is None else jnp.where(jnp.any(mask), rank, jnp.nan)
