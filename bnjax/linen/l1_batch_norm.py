"""Batch norm by the mean absolute deviation, for Flax linen."""

from collections.abc import Callable
from typing import Any

import jax
from flax import linen as nn

from bnjax import ops
from bnjax.linen import _batches, _layer
from bnjax.linen.batch_norm import BatchNorm
from bnjax.ops import Moments, Running


class L1BatchNorm(BatchNorm):
  """Batch norm with the mean absolute deviation for the standard deviation.

  s = sqrt(pi / 2) * mean(|x - mean|)
  y = (x - mean) / sqrt(s^2 + epsilon) * scale + bias

  Of Gaussian features s is the standard deviation. Arguments, variables and
  inference are `BatchNorm`'s; `var` in `batch_stats` is the average of s^2.

  Raises:
    TypeError: x is complex.
    ValueError: axes, shapes or masks that do not fit, or one value per feature.

  Reference:
    Wu et al. (2018), arXiv:1802.09769; Hoffer et al. (2018), arXiv:1803.01814.

  Example:
    >>> import jax
    >>> import jax.numpy as jnp
    >>> from bnjax.linen import L1BatchNorm
    >>> x = jnp.array([[-1.0], [0.0], [0.0], [1.0]])  # Mean deviation 1/2.
    >>> norm = L1BatchNorm(use_running_average=False, momentum=0.0)
    >>> variables = norm.init(jax.random.key(0), x)
    >>> _, updates = norm.apply(variables, x, mutable=["batch_stats"])
    >>> updates["batch_stats"]["var"].round(3)  # pi / 8
    Array([0.393], dtype=float32)
  """

  @nn.nowrap
  def _by_batch(
    self, update: bool, source: _layer.Source
  ) -> Callable[..., tuple[jax.Array, Running]] | None:
    return _batches.l1

  @nn.nowrap
  def _moments(self, x: jax.Array, **options: Any) -> Moments:
    """The batch's statistics, where `bnjax.tools` asks for them."""
    return ops.l1_batch_norm(x, **options)[1]


__all__ = ["L1BatchNorm"]
