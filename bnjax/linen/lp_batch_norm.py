"""Batch norm by a mean lp norm, for Flax linen."""

import dataclasses
from collections.abc import Callable
from functools import partial
from typing import Any

import jax
from flax import linen as nn

from bnjax import ops
from bnjax.linen import _batches, _layer
from bnjax.linen.batch_norm import BatchNorm
from bnjax.ops import Moments, Running


class LpBatchNorm(BatchNorm):
  """Batch norm with the mean lp norm of x, not centred, for the deviation.

  s = mean(|x|^p)^(1/p), of p = infinity max|x|
  y = (x - mean) / sqrt(s^2 + epsilon) * scale + bias

  Arguments, variables and inference are `BatchNorm`'s; `var` in `batch_stats`
  is the average of s^2.

  Attributes:
    p: 1, 2 or infinity.

  Raises:
    TypeError: x is complex.
    ValueError: another p; axes, shapes or masks that do not fit, or one value
      per feature.

  Reference:
    Santurkar et al. (2018), arXiv:1805.11604, section 3.3.

  Example:
    >>> import jax
    >>> import jax.numpy as jnp
    >>> from bnjax.linen import LpBatchNorm
    >>> x = jnp.array([[1.0], [5.0]])
    >>> norm = LpBatchNorm(
    ...   p=jnp.inf, use_running_average=False, momentum=0.0
    ... )
    >>> variables = norm.init(jax.random.key(0), x)
    >>> y, updates = norm.apply(variables, x, mutable=["batch_stats"])
    >>> updates["batch_stats"]["var"]
    Array([25.], dtype=float32)
  """

  _: dataclasses.KW_ONLY
  p: float = 1

  @nn.nowrap
  def _by_batch(
    self, update: bool, source: _layer.Source
  ) -> Callable[..., tuple[jax.Array, Running]] | None:
    return partial(_batches.lp, p=self.p)

  @nn.nowrap
  def _moments(self, x: jax.Array, **options: Any) -> Moments:
    """The batch's statistics, where `bnjax.tools` asks for them."""
    return ops.lp_batch_norm(x, p=self.p, **options)[1]


__all__ = ["LpBatchNorm"]
