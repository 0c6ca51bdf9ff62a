"""`haiku.BatchNorm`."""

from typing import Any

import haiku as hk
import jax
import jax.numpy as jnp

from benchmarks.conformance.library import (
  EPSILON,
  Call,
  Claim,
  Library,
  Settings,
)


class Haiku(Library):
  """Its state is its parameters and its state, a pair."""

  name = "haiku"
  debiases = True
  claims = (Claim("the docstring", None, debias=True),)

  def _step(self, x: Any, settings: Settings, call: Call) -> tuple[Any, Any]:
    norm = _norm(settings, is_training=True)
    params, old = call.state or norm.init(None, x)
    y, new = norm.apply(params, old, None, x)
    return y, (params, new)

  def infer(self, x: Any, settings: Settings, state: Any) -> Any:
    """Returns the output of inference."""
    return _norm(settings, is_training=False).apply(*state, None, x)[0]

  def state_of(self, mean: Any, var: Any, settings: Settings) -> Any:
    """Returns a state that holds these running statistics."""
    x = jnp.zeros((2, len(mean)), settings.dtype or "float32")
    params, state = _norm(settings, is_training=True).init(None, x)
    values = {"mean_ema": mean, "var_ema": var}

    def put(path: Any, old: jax.Array) -> jax.Array:
      name = path[0].key.rpartition("/")[2]
      if path[1].key == "counter":
        return old
      return jnp.asarray(values[name], old.dtype).reshape(old.shape)

    return params, jax.tree_util.tree_map_with_path(put, state)

  def statistics(self, state: Any) -> list[Any]:
    """Returns the running statistics as they are stored."""
    return [node["average"] for node in state[1].values()]


def _norm(settings: Settings, is_training: bool) -> Any:
  def norm(x: jax.Array) -> jax.Array:
    decay = 0.99 if settings.decay is None else settings.decay
    layer = hk.BatchNorm(
      create_scale=True,
      create_offset=True,
      decay_rate=decay,
      eps=EPSILON,
      cross_replica_axis=settings.axis_name,
      cross_replica_axis_index_groups=settings.groups,
    )
    return layer(x, is_training)

  return hk.transform_with_state(norm)
