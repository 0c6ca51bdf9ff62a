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

from bnjax.lab.models import batch_norms, example_norms, feature_norm
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

  def __call__(self, x, *, train, mask=None, name=None, relu=False):  # type: ignore[no-untyped-def]
    """Normalizes over all axes but the last; then `relu`, in one derivative."""
    module = BatchNorm(
      momentum=self.decay,
      epsilon=self.epsilon,
      dtype=x.dtype,  # not that of x and the parameters together
      activation="relu" if relu else None,
      name=name,
    )
    return module(x, use_running_average=not train, mask=mask)


@dataclass(frozen=True)
class FlaxBatchNormalization:
  """Batch normalization by Flax's own `nn.BatchNorm`, to compare with."""

  epsilon: Any = 1e-5
  decay: Any = 0.99

  def __call__(self, x, *, train, mask=None, name=None):  # type: ignore[no-untyped-def]
    """Normalizes over all axes but the last."""
    module = nn.BatchNorm(
      momentum=self.decay, epsilon=self.epsilon, dtype=x.dtype, name=name
    )
    return module(x, use_running_average=not train, mask=mask)


NORMS: dict[str, Callable[..., Norm]] = {
  "none": NoNorm,
  "batch_norm": BatchNormalization,
  "flax_batch_norm": FlaxBatchNormalization,
  # Of the batch, with running statistics.
  "batch_renorm": batch_norms.BatchRenormalization,
  "evonorm_b0": batch_norms.EvoNormB0,
  "ghost_batch_norm": batch_norms.GhostBatchNormalization,
  "iter_norm": batch_norms.IterativeNormalization,
  "l1_batch_norm": batch_norms.L1BatchNormalization,
  "whitening": batch_norms.Whitening,
  # Of each example.
  "evonorm_s0": example_norms.EvoNormS0,
  "feature_norm": feature_norm.FeatureNormalization,
  "filter_response_norm": example_norms.FilterResponseNormalization,
  "group_norm": example_norms.GroupNormalization,
  "instance_norm": example_norms.InstanceNormalization,
  "layer_norm": example_norms.LayerNormalization,
  "rms_norm": example_norms.RMSNormalization,
}
