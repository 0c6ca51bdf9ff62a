"""How a layer's outputs differ between training and inference.

Dropout before a norm makes what the norm sees vary more in training, by whose
variances it normalizes in inference, too.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from bnjax.lab.probes._rows import as_rows


class Modes(NamedTuple):
  """One layer's outputs on the same examples, `[..., units]` or `[n]` each.

  Attributes:
    training: by the batch's statistics, with dropout and other noise.
    inference: by running statistics, without noise.
  """

  training: jax.Array
  inference: jax.Array


def variance_shift(modes: Modes) -> jax.Array:
  """Returns the variance in inference over that in training.

  Of each unit; the median of units. Of a unit that is constant in both it is
  1, of one that is so in training alone infinity, which a median can bear.

  Reference:
    Li et al. (2019), arXiv:1801.05134.

  Example:
    >>> x = jnp.array([[-1.0], [1.0]])
    >>> variance_shift(Modes(training=2 * x, inference=x))
    Array(0.25, dtype=float32)
  """
  training, inference = (_rows(x).var(0) for x in modes)
  return jnp.median(jnp.where(training == inference, 1, inference / training))


def dropout_variance_shift(modes: Modes, keep: float) -> jax.Array:
  """Returns what `variance_shift` is right behind dropout, by its formula.

  v / ((c² + v) / keep - c²) for a unit of mean c and variance v before it, as
  in inference it is behind it, too; the median of units.

  Args:
    modes: of what comes right behind dropout.
    keep: the probability to keep a value.

  Reference:
    Li et al. (2019), arXiv:1801.05134, equation 6; with c = .5, v = 1 and
    keep = .5 it is .444.

  Example:
    >>> x = jnp.array([[-0.5], [1.5]])  # Mean .5, variance 1.
    >>> dropout_variance_shift(Modes(training=x, inference=x), keep=0.5)
    Array(0.44444445, dtype=float32)
  """
  x = _rows(modes.inference)
  v, square = x.var(0), jnp.square(x.mean(0))
  return jnp.median(jnp.where(v == 0, 1, v / ((square + v) / keep - square)))


def _rows(x: jax.Array) -> jax.Array:
  return as_rows(x[:, None] if x.ndim == 1 else x)
