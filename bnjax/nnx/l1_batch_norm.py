"""Batch norm by the mean absolute deviation, for Flax NNX."""

from collections.abc import Callable

import jax

from bnjax.linen import _batches, _layer
from bnjax.nnx.batch_norm import BatchNorm
from bnjax.ops import Running


class L1BatchNorm(BatchNorm):
  """Batch norm with the mean absolute deviation for the standard deviation.

  As `bnjax.linen.L1BatchNorm`; arguments and all else are `BatchNorm`'s.

  Reference:
    Wu et al. (2018), arXiv:1802.09769; Hoffer et al. (2018), arXiv:1803.01814.

  Example:
    >>> import jax.numpy as jnp
    >>> from flax import nnx
    >>> from bnjax.nnx import L1BatchNorm
    >>> norm = L1BatchNorm(1, momentum=0.0, rngs=nnx.Rngs(0))
    >>> _ = norm(jnp.array([[-1.0], [0.0], [0.0], [1.0]]))
    >>> norm.var[...].round(3)  # pi / 8
    Array([0.393], dtype=float32)
  """

  def _by_batch(
    self, update: bool, source: _layer.Source
  ) -> Callable[..., tuple[jax.Array, Running]] | None:
    return _batches.l1


__all__ = ["L1BatchNorm"]
