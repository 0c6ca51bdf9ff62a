"""`equinox.nn.BatchNorm` with mode="batch", which its documents advise."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp

from benchmarks.conformance.library import (
  EPSILON,
  Call,
  Claim,
  Library,
  Settings,
)


class Equinox(Library):
  """Its state is kept as the count, the hidden mean and the hidden variance."""

  name = "equinox"
  index_groups = False
  debiases = True
  claims = (Claim("the docstring", 0.99, debias=True, unbiased=True),)

  def _step(self, x: Any, settings: Settings, call: Call) -> tuple[Any, Any]:
    norm, old = _norm(x.shape[-1], settings, call.state)
    y, new = _over_rows(norm)(x, old)
    hidden = new.get(norm.batch_state_index)
    return y, (new.get(norm.batch_counter), *hidden)

  def infer(self, x: Any, settings: Settings, state: Any) -> Any:
    """Returns the output of inference."""
    norm, old = _norm(x.shape[-1], settings, state)
    return _over_rows(eqx.nn.inference_mode(norm))(x, old)[0]

  def state_of(self, mean: Any, var: Any, settings: Settings) -> Any:
    """Returns a state that holds these running statistics."""
    return jnp.array(0), jnp.asarray(mean), jnp.asarray(var)

  def statistics(self, state: Any) -> list[Any]:
    """Returns the running statistics as they are stored."""
    return list(state[1:])


def _norm(features: int, settings: Settings, state: Any) -> tuple[Any, Any]:
  names = ["rows"] + [settings.axis_name] * (settings.axis_name is not None)
  decay: dict[str, Any] = (
    {} if settings.decay is None else {"momentum": settings.decay}
  )
  norm: Any = eqx.nn.BatchNorm(
    features, names, eps=EPSILON, mode="batch", **decay
  )
  made = eqx.nn.State(norm)
  if state is not None:
    made = made.set(norm.batch_counter, state[0])
    made = made.set(norm.batch_state_index, tuple(state[1:]))
  return norm, made


def _over_rows(norm: Any) -> Any:
  return jax.vmap(norm, (0, None), (0, None), axis_name="rows")
