"""Normalizations by name: what `config.norm.name` may be.

An entry is a class whose fields are the arguments of its config group; an
instance is what a model calls inside its `@nn.compact` method. Models never
name a normalization: a new one is a class here and a line in `NORMS`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import flax.linen as nn
import jax

from bnjax.linen import BatchNorm


class Norm(Protocol):
  """What a model calls: `norm(x, train=..., mask=..., name=...)`."""

  def __call__(
    self,
    x: jax.Array,
    *,
    train: bool,
    mask: jax.Array | None = None,
    name: str | None = None,
  ) -> jax.Array:
    """Normalizes `x`, whose last axis is the features.

    Args:
      x: activations `[n, ..., features]`.
      train: normalize by this batch (and update running statistics) or not.
      mask: broadcastable to `x`, True where a value counts.
      name: of the Flax module that holds the parameters.
    """


@dataclass(frozen=True)
class NoNorm:
  """No normalization."""

  def __call__(self, x, *, train, mask=None, name=None):  # type: ignore[no-untyped-def]
    """Returns `x`."""
    return x


@dataclass(frozen=True)
class BatchNormalization:
  """Batch normalization by `bnjax.linen.BatchNorm`.

  Attributes:
    epsilon: added to the variance.
    decay: of the running statistics: `new = decay * old + (1 - decay) * batch`.
  """

  epsilon: Any = 1e-5
  decay: Any = 0.99

  def __call__(self, x, *, train, mask=None, name=None):  # type: ignore[no-untyped-def]
    """Normalizes over all axes but the last."""
    module = BatchNorm(momentum=self.decay, epsilon=self.epsilon, name=name)
    return module(x, use_running_average=not train, mask=mask)


@dataclass(frozen=True)
class FlaxBatchNormalization:
  """Batch normalization by Flax's own `nn.BatchNorm`, to compare with."""

  epsilon: Any = 1e-5
  decay: Any = 0.99

  def __call__(self, x, *, train, mask=None, name=None):  # type: ignore[no-untyped-def]
    """Normalizes over all axes but the last."""
    module = nn.BatchNorm(momentum=self.decay, epsilon=self.epsilon, name=name)
    return module(x, use_running_average=not train, mask=mask)


@dataclass(frozen=True)
class LayerNormalization:
  """Layer normalization (https://arxiv.org/abs/1607.06450)."""

  epsilon: Any = 1e-6

  def __call__(self, x, *, train, mask=None, name=None):  # type: ignore[no-untyped-def]
    """Normalizes each example over its last axis."""
    return nn.LayerNorm(epsilon=self.epsilon, name=name)(x)


NORMS: dict[str, Callable[..., Norm]] = {
  "none": NoNorm,
  "batch_norm": BatchNormalization,
  "flax_batch_norm": FlaxBatchNormalization,
  "layer_norm": LayerNormalization,
}
