"""How the inputs of a layer drift when the layers before it are updated.

Internal covariate shift as Ioffe and Szegedy (2015) define it: "the change in
the distribution of network activations due to the change in network parameters
during training". All measures are per unit and in units of its own deviation,
so that networks of different scales compare.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from bnjax.lab.probes._rows import as_rows


class Pair(NamedTuple):
  """One layer's outputs (the next one's inputs) on one batch.

  Attributes:
    before: an update, `[..., units]`; or `[n]`, of one unit.
    after: it.
  """

  before: jax.Array
  after: jax.Array


def mean_drift(pair: Pair) -> jax.Array:
  """Returns |mean' - mean| / deviation, of each unit; the median of units.

  A unit that is constant before has no unit of measure: of it, 0 if nothing
  changed, else infinity, which a median can bear.

  Example:
    >>> x = jnp.array([[-1.0], [1.0]])
    >>> mean_drift(Pair(x, x + 3))
    Array(3., dtype=float32)
  """
  before, after = map(_rows, pair)
  change = jnp.abs(after.mean(0) - before.mean(0))
  return jnp.median(_relative(change, before.std(0)))


def variance_drift(pair: Pair) -> jax.Array:
  """Returns |variance' - variance| / variance; the median of units.

  Example:
    >>> x = jnp.array([[-1.0], [1.0]])
    >>> variance_drift(Pair(x, 2 * x))
    Array(3., dtype=float32)
  """
  before, after = map(_rows, pair)
  change = jnp.abs(after.var(0) - before.var(0))
  return jnp.median(_relative(change, before.var(0)))


def wasserstein_drift(pair: Pair) -> jax.Array:
  """Returns the Wasserstein-1 distance / deviation; the median of units.

  The mean distance of the sorted values: how far numbers have to be carried to
  make one distribution of a unit the other. 0 where they only changed places.

  Example:
    >>> x = jnp.array([[-1.0], [1.0]])
    >>> wasserstein_drift(Pair(x, 2 * x)), wasserstein_drift(Pair(x, -x))
    (Array(1., dtype=float32), Array(0., dtype=float32))
  """
  before, after = (jnp.sort(_rows(x), 0) for x in pair)
  distance = jnp.abs(after - before).mean(0)
  return jnp.median(_relative(distance, before.std(0)))


def _relative(change: jax.Array, unit: jax.Array) -> jax.Array:
  return jnp.where(change == 0, 0, change / unit)


def _rows(x: jax.Array) -> jax.Array:
  return as_rows(x[:, None] if x.ndim == 1 else x)
