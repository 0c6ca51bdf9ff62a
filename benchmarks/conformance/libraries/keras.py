"""`keras.layers.BatchNormalization` on JAX."""

import os
from typing import Any

import jax.numpy as jnp

from benchmarks.conformance.library import (
  EPSILON,
  Call,
  Claim,
  Library,
  Settings,
)

os.environ["KERAS_BACKEND"] = "jax"
import keras


class Keras(Library):
  """Its state is what its layer does not train: mean and variance."""

  name = "keras"
  masks = True
  axis_names = False
  claims = (Claim("the docstring", 0.99),)

  def _step(self, x: Any, settings: Settings, call: Call) -> tuple[Any, Any]:
    zeros = jnp.zeros(x.shape[-1])
    state = call.state or [zeros, zeros + 1]
    mask = call.mask
    if mask is not None:
      mask = mask.reshape(x.shape[:-1])
    return self._call(x, settings, state, training=True, mask=mask)

  def infer(self, x: Any, settings: Settings, state: Any) -> Any:
    """Returns the output of inference."""
    return self._call(x, settings, state, training=False)[0]

  def state_of(self, mean: Any, var: Any, settings: Settings) -> Any:
    """Returns a state that holds these running statistics."""
    return [jnp.asarray(mean), jnp.asarray(var)]

  def statistics(self, state: Any) -> list[Any]:
    """Returns the running statistics as they are stored."""
    return list(state)

  def _call(
    self, x: Any, settings: Settings, state: Any, **arguments: Any
  ) -> tuple[Any, Any]:
    decay = {} if settings.decay is None else {"momentum": settings.decay}
    policy = settings.dtype
    if policy not in (None, "float32"):
      policy = f"mixed_{policy}"  # Variables stay in float32.
    layer = keras.layers.BatchNormalization(
      epsilon=EPSILON, dtype=policy, **decay
    )
    layer.build(x.shape)
    ones = jnp.ones(x.shape[-1])
    return layer.stateless_call([ones, 0 * ones], state, x, **arguments)
