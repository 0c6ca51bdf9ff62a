"""Batch renormalization for Flax NNX."""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx

from bnjax.linen import _batches, _layer
from bnjax.nnx.batch_norm import BatchNorm
from bnjax.ops import RenormLimits, Running


class BatchRenorm(BatchNorm):
  """Batch renorm: a batch norm whose training follows its inference.

  `bnjax.linen.BatchRenorm` says what it computes and what it is for. All else
  is `BatchNorm`'s; with a schedule there is a `step` among the `nnx.BatchStat`.

  Args:
    num_features: the number of features.
    rngs: for the initializers of `scale` and `bias`.
    r_max: the largest factor, at least 1.
    d_max: the largest shift in running standard deviations, at least 0.
    schedule: (step, r_max=..., d_max=...) -> `RenormLimits`, such as
      `bnjax.renorm_schedule`; None: the limits are always the above.
    **arguments: of `BatchNorm`.

  Raises:
    TypeError: x is complex.
    ValueError: axes, shapes or masks that do not fit, limits out of range.

  Reference:
    Ioffe (2017), arXiv:1702.03275.

  Example:
    >>> import jax.numpy as jnp
    >>> from flax import nnx
    >>> from bnjax.nnx import BatchRenorm
    >>> norm = BatchRenorm(1, epsilon=0.0, rngs=nnx.Rngs(0))
    >>> norm(jnp.array([[1.0], [5.0]]))  # (x - 0) / 1, as in inference.
    Array([[1.], [5.]], dtype=float32)
  """

  def __init__(
    self,
    num_features: int,
    *,
    rngs: nnx.Rngs,
    r_max: Any = 3.0,
    d_max: Any = 5.0,
    schedule: Callable[..., RenormLimits] | None = None,
    **arguments: Any,
  ) -> None:
    super().__init__(num_features, rngs=rngs, **arguments)
    self.r_max = r_max
    self.d_max = d_max
    self.schedule = schedule
    if schedule is not None:
      self.step = nnx.BatchStat(jnp.zeros((), jnp.int32))

  def _by_batch(
    self, update: bool, source: _layer.Source
  ) -> Callable[..., tuple[jax.Array, Running]] | None:
    limits = RenormLimits(self.r_max, self.d_max)
    if self.schedule is not None:
      step = self.step[...]
      limits = self.schedule(step, **limits._asdict())
      if update:
        self.step[...] = step + 1
    return partial(_batches.renorm, limits=limits)


__all__ = ["BatchRenorm"]
