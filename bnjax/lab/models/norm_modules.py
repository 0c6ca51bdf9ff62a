"""Two Flax modules that turn a function of `bnjax.ops` into a layer."""

from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

# Names of parameters and their initial values.
Parameters = tuple[tuple[str, float], ...]
State = dict[str, jax.Array]

AFFINE: Parameters = (("scale", 1.0), ("bias", 0.0))


class Stateless(nn.Module):
  """A norm that is one function, in training and in inference.

  Attributes:
    function: `(x, mask=..., **parameters) -> y`.
    per_feature: parameters `[features]`.
    scalars: parameters that all features share.
  """

  function: Callable[..., jax.Array]
  per_feature: Parameters = AFFINE
  scalars: Parameters = ()

  @nn.compact
  def __call__(
    self, x: jax.Array, *, mask: jax.Array | None = None
  ) -> jax.Array:
    """Normalizes `x`, whose last axis is the features."""
    parameters = {
      **_parameters(self, self.per_feature, x.shape[-1:]),
      **_parameters(self, self.scalars, ()),
    }
    return self.function(x, mask=mask, **parameters)


class Stateful(nn.Module):
  """A norm that keeps something of the batches, in `batch_stats`.

  Attributes:
    training: `(x, state, mask=..., **parameters) -> (y, new state)`.
    inference: `(x, state, **parameters) -> y`.
    initial: `features -> state`, a dict of the variables' names and values.
    per_feature: parameters `[features]`.
  """

  training: Callable[..., tuple[jax.Array, State]]
  inference: Callable[..., jax.Array]
  initial: Callable[[int], State]
  per_feature: Parameters = AFFINE

  @nn.compact
  def __call__(
    self, x: jax.Array, *, train: bool, mask: jax.Array | None = None
  ) -> jax.Array:
    """Normalizes `x`, and updates the state in training but not in `init`."""
    parameters = _parameters(self, self.per_feature, x.shape[-1:])
    kept = {
      name: self.variable("batch_stats", name, lambda value=value: value)
      for name, value in self.initial(x.shape[-1]).items()
    }
    state = {name: variable.value for name, variable in kept.items()}
    if not train or self.is_initializing():
      return self.inference(x, state, **parameters)
    y, new = self.training(x, state, mask=mask, **parameters)
    for name, variable in kept.items():
      variable.value = new[name]
    return y


def _parameters(
  module: nn.Module, named: Parameters, shape: tuple[int, ...]
) -> dict[str, Any]:
  return {
    name: module.param(name, nn.initializers.constant(value), shape)
    for name, value in named
  }


def zeros_and_ones(features: int) -> State:
  """Returns a running mean and variance that have seen no batch."""
  return {"mean": jnp.zeros(features), "var": jnp.ones(features)}
