"""Ghost batch norm whose statistics stand still from some step on."""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from bnjax.linen import GhostBatchNorm
from bnjax.ops import Running, apply_batch_norm


class FreezingBatchNorm(GhostBatchNorm):
  """Ghost batch norm, and from a step on by the running statistics it has.

  From that step on training and inference are the same function, and the
  running statistics stay as they are; scale and bias go on being trained. With
  `groups=1` it is batch norm until then.

  Attributes:
    freeze_start: how many updates of the running statistics there are; counted
      as an int32 `step` in `batch_stats`.

  Reference:
    Wu and Johnson (2021), arXiv:2105.07576, section 4.2: FrozenBN in the last
    part of training.

  Example:
    >>> x = jnp.array([[1.0], [5.0]])
    >>> norm = FreezingBatchNorm(
    ...   groups=1, freeze_start=0, use_running_average=False
    ... )
    >>> variables = norm.init(jax.random.key(0), x)
    >>> y, _ = norm.apply(variables, x, mutable=["batch_stats"])
    >>> y.round(3)  # By the initial statistics, 0 and 1.
    Array([[1.],
           [5.]], dtype=float32)
  """

  freeze_start: int = 0

  @nn.nowrap
  def _by_batch(
    self, update: bool, source: Any
  ) -> Callable[..., tuple[jax.Array, Running]] | None:
    by_batch = super()._by_batch(update, source)
    reads = source == "batch" or update or self.is_initializing()
    if by_batch is None or not reads:
      return by_batch
    step = self.variable("batch_stats", "step", jnp.zeros, (), jnp.int32)
    frozen = step.value >= self.freeze_start
    if update and not self.is_initializing():
      step.value = step.value + 1
    return partial(_either, by_batch, frozen)


def _either(
  by_batch: Callable[..., tuple[jax.Array, Running]],
  frozen: jax.Array,
  x: jax.Array,
  scale: jax.Array | None,
  bias: jax.Array | None,
  running: Running,
  **options: Any,
) -> tuple[jax.Array, Running]:
  still: dict[str, Any] = {**options, "update": False}
  return jax.lax.cond(
    frozen,
    lambda: apply_batch_norm(
      x, scale, bias, running, normalize_with="running", **still
    ),
    lambda: by_batch(x, scale, bias, running, **options),
  )
