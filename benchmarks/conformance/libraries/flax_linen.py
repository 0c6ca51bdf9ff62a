"""`flax.linen`, with either of its ways to compute the variance."""

from typing import Any, ClassVar

import jax
import jax.numpy as jnp
from flax import linen as nn

from benchmarks.conformance.library import (
  EPSILON,
  Call,
  Claim,
  Library,
  Settings,
)


class Linen(Library):
  """`flax.linen.BatchNorm` as it is by default."""

  name = "flax.linen"
  masks = True
  # The guide is that of flax at commit 3e789b71dd67.
  claims: ClassVar[tuple[Claim, ...]] = (
    Claim("the docstring", 0.99),
    Claim("the guide 'Convert PyTorch models to Flax'", 0.9),
  )
  norm: ClassVar[Any] = nn.BatchNorm

  def arguments(self, settings: Settings) -> dict[str, Any]:
    """Returns the arguments of the module."""
    made: dict[str, Any] = {
      "epsilon": EPSILON,
      "dtype": settings.dtype,
      "axis_name": settings.axis_name,
      "axis_index_groups": settings.groups,
    }
    if settings.decay is not None:
      made["momentum"] = settings.decay
    return made

  def _step(self, x: Any, settings: Settings, call: Call) -> tuple[Any, Any]:
    more = {"activation": "relu"} if call.relu else {}
    norm = self.norm(
      use_running_average=False, **self.arguments(settings), **more
    )
    state = call.state or norm.init(jax.random.key(0), x)
    y, new = norm.apply(state, x, mask=call.mask, mutable=["batch_stats"])
    return y, {**state, **new}

  def infer(self, x: Any, settings: Settings, state: Any) -> Any:
    """Returns the output of inference."""
    norm = self.norm(use_running_average=True, **self.arguments(settings))
    return norm.apply(state, x)

  def state_of(self, mean: Any, var: Any, settings: Settings) -> Any:
    """Returns a state that holds these running statistics."""
    ones = jnp.ones_like(mean)
    return {
      "params": {"scale": ones, "bias": 0 * ones},
      "batch_stats": {"mean": jnp.asarray(mean), "var": jnp.asarray(var)},
    }

  def statistics(self, state: Any) -> list[Any]:
    """Returns the running statistics as they are stored."""
    return [state["batch_stats"][name] for name in ("mean", "var")]


class TwoPass(Linen):
  """`flax.linen.BatchNorm` with `use_fast_variance=False`."""

  name = "flax.linen two-pass"

  def arguments(self, settings: Settings) -> dict[str, Any]:
    """Returns the arguments of the module."""
    return {**super().arguments(settings), "use_fast_variance": False}
