"""Batch norm with covariate shift on purpose, for Flax linen."""

import dataclasses
from collections.abc import Callable
from functools import partial
from typing import Any

import jax
from flax import linen as nn

from bnjax.linen import _batches, _layer
from bnjax.linen.batch_norm import BatchNorm
from bnjax.ops import Running


class NoisyBatchNorm(BatchNorm):
  """Batch norm, and then a shift and a factor drawn anew at every step.

  y = s * batch_norm(x) + m

  See `bnjax.noisy_batch_norm` for the distribution of s and m. Arguments,
  variables and inference, which is without noise, are `BatchNorm`'s. In
  training the call draws from a random stream, as dropout does: with the same
  `rngs` a gradient that is taken twice has the same noise.

  A scale and bias of the call that differ between examples come after the
  noise. With `dose` 0, `stretch` 1 and `jitter` 0 it is batch norm, and draws
  nothing.

  Attributes:
    dose: the largest shift of a feature.
    stretch: the largest factor of a feature, from 1.
    jitter: the same of each value about its feature's.
    rng_collection: name of the random stream.

  Raises:
    TypeError: x is complex; a dose that is not a number.
    ValueError: axes, shapes or masks that do not fit, or one value per feature;
      a dose out of its range.

  Reference:
    Santurkar et al. (2018), arXiv:1805.11604, Algorithm 1.

  Example:
    >>> import jax
    >>> import jax.numpy as jnp
    >>> from bnjax.linen import NoisyBatchNorm
    >>> x = jnp.array([[1.0], [5.0]])
    >>> norm = NoisyBatchNorm(dose=8.0, use_running_average=False)
    >>> variables = norm.init(jax.random.key(0), x)
    >>> step = lambda key: norm.apply(
    ...   variables, x, mutable=["batch_stats"], rngs={"noise": key}
    ... )[0]
    >>> one, same, other = map(step, map(jax.random.key, (1, 1, 2)))
    >>> bool((one == same).all()), bool((one == other).any())
    (True, False)
  """

  _: dataclasses.KW_ONLY
  dose: Any = 0.5
  stretch: Any = 1.25
  jitter: Any = 0.1
  rng_collection: str = "noise"

  @nn.nowrap
  def _by_batch(
    self, update: bool, source: _layer.Source
  ) -> Callable[..., tuple[jax.Array, Running]] | None:
    noise = {"dose": self.dose, "stretch": self.stretch, "jitter": self.jitter}
    none = {"dose": 0, "stretch": 1, "jitter": 0}
    # A traced number is not known to be 0.
    silent = all(
      not isinstance(value, jax.Array) and value == none[name]
      for name, value in noise.items()
    )
    if source != "batch" or self.is_initializing() or silent:
      return None
    key = self.make_rng(self.rng_collection)
    return partial(_batches.noisy, key=key, **noise)


__all__ = ["NoisyBatchNorm"]
