"""`bnjax.ops`: the functions."""

from typing import Any

import jax
import jax.numpy as jnp

from benchmarks.conformance.library import (
  EPSILON,
  Call,
  Claim,
  Library,
  Settings,
)
from bnjax.ops import (
  PRESETS,
  Running,
  apply_batch_norm,
  debiased_ema,
  ema,
  init_running,
)


class Ops(Library):
  """The pure functions; by default, the rule is that of the preset "flax"."""

  name = "bnjax.ops"
  masks = True
  axis_in_call = True
  debiases = True
  fuses_relu = True
  claims = (Claim('PRESETS["flax"]', 0.99, unbiased=False),)

  def _step(self, x: Any, settings: Settings, call: Call) -> tuple[Any, Any]:
    rule = PRESETS["flax"].rule
    if settings.decay is not None:
      rule = (debiased_ema if settings.debias else ema)(settings.decay)
    ones = jnp.ones(x.shape[-1])
    return apply_batch_norm(
      x,
      ones,
      jnp.zeros_like(ones),
      call.state or init_running(x.shape[-1]),
      rule=rule,
      epsilon=EPSILON,
      mask=call.mask,
      axis_name=settings.axis_name,
      axis_index_groups=settings.groups,
      activation="relu" if call.relu else None,
    )

  def infer(self, x: Any, settings: Settings, state: Any) -> Any:
    """Returns the output of inference."""
    return apply_batch_norm(
      x,
      None,
      None,
      state,
      rule=ema(0.9),
      normalize_with="running",
      update=False,
      epsilon=EPSILON,
    )[0]

  def state_of(self, mean: Any, var: Any, settings: Settings) -> Any:
    """Returns a state that holds these running statistics."""
    return Running(jnp.asarray(mean), jnp.asarray(var), jnp.ones_like(mean))

  def statistics(self, state: Any) -> list[jax.Array]:
    """Returns the running statistics as they are stored."""
    return [state.mean, state.var]
