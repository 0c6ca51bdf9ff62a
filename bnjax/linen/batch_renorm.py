"""Batch renormalization for Flax linen."""

import dataclasses
from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from bnjax.linen import _batches, _layer
from bnjax.linen.batch_norm import BatchNorm
from bnjax.ops import RenormLimits, Running


class BatchRenorm(BatchNorm):
  """Batch renorm: a batch norm whose training follows its inference.

  With s = sqrt(var + epsilon) of the batch, S that of the running variance,

  r = clip(s / S, 1 / r_max, r_max),  d = clip((mean - MEAN) / S, -d_max, d_max)
  y = ((x - mean) / s * r + d) * scale + bias

  and no gradient through r and d: small or dependent batches, such as those of
  reinforcement learning, are normalized nearly as they will be in inference.
  Everything else is `BatchNorm`'s: arguments, variables, checkpoints either
  way, and the functions of `bnjax.tools`. One value per feature is allowed.

  Start with r_max=1 and d_max=0, which is batch norm, until the running
  statistics are worth following: that is what `schedule` is for.

  Attributes:
    r_max: the largest factor, at least 1.
    d_max: the largest shift in running standard deviations, at least 0.
    schedule: (step, r_max=..., d_max=...) -> `RenormLimits`, such as
      `bnjax.renorm_schedule`, whose defaults are the paper's for ImageNet,
      or a `functools.partial` of it. `step` counts the updates of the running
      statistics, as an int32 of that name in `batch_stats`. None: the limits
      are always `r_max` and `d_max`, and there is no `step`.

  Raises:
    TypeError: x is complex.
    ValueError: axes, shapes or masks that do not fit, limits out of range.

  Reference:
    Ioffe (2017), arXiv:1702.03275; in reinforcement learning: Bhatt et al.
    (2024), CrossQ, arXiv:1902.05605.

  Example:
    >>> import jax
    >>> import jax.numpy as jnp
    >>> from bnjax.linen import BatchRenorm
    >>> x = jnp.array([[1.0], [5.0]])  # Mean 3, variance 4.
    >>> norm = BatchRenorm(use_running_average=False, epsilon=0.0)
    >>> variables = norm.init(jax.random.key(0), x)
    >>> y, _ = norm.apply(variables, x, mutable=["batch_stats"])
    >>> y  # (x - 0) / 1, as by the running statistics so far.
    Array([[1.], [5.]], dtype=float32)
  """

  _: dataclasses.KW_ONLY
  r_max: Any = 3.0
  d_max: Any = 5.0
  schedule: Callable[..., RenormLimits] | None = None

  @nn.nowrap
  def _by_batch(
    self, update: bool, source: _layer.Source
  ) -> Callable[..., tuple[jax.Array, Running]] | None:
    limits = RenormLimits(self.r_max, self.d_max)
    reads = source == "batch" or update or self.is_initializing()
    if self.schedule is not None and reads:
      step = self.variable("batch_stats", "step", jnp.zeros, (), jnp.int32)
      limits = self.schedule(step.value, **limits._asdict())
      if update:
        step.value = step.value + 1
    return partial(_batches.renorm, limits=limits)


__all__ = ["BatchRenorm"]
