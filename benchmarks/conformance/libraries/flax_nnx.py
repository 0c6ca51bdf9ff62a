"""`flax.nnx`."""

from typing import Any, ClassVar

import jax.numpy as jnp
from flax import nnx

from benchmarks.conformance.library import (
  EPSILON,
  Call,
  Claim,
  Library,
  Settings,
)


class Nnx(Library):
  """`flax.nnx.BatchNorm`; its state is that of the module."""

  name = "flax.nnx"
  masks = True
  claims = (Claim("the docstring", 0.99),)
  norm: ClassVar[Any] = nnx.BatchNorm

  def arguments(self, settings: Settings) -> dict[str, Any]:
    """Returns the arguments of the module."""
    made: dict[str, Any] = {
      "epsilon": EPSILON,
      "dtype": settings.dtype and jnp.dtype(settings.dtype),
      "axis_name": settings.axis_name,
      "axis_index_groups": settings.groups,
    }
    if settings.decay is not None:
      made["momentum"] = settings.decay
    return made

  def _step(self, x: Any, settings: Settings, call: Call) -> tuple[Any, Any]:
    more = {"activation": "relu"} if call.relu else {}
    norm = self._make(x.shape[-1], settings, call.state, **more)
    y = norm(x, use_running_average=False, mask=call.mask)
    return y, nnx.state(norm)

  def infer(self, x: Any, settings: Settings, state: Any) -> Any:
    """Returns the output of inference."""
    norm = self._make(x.shape[-1], settings, state)
    return norm(x, use_running_average=True)

  def state_of(self, mean: Any, var: Any, settings: Settings) -> Any:
    """Returns a state that holds these running statistics."""
    norm = self._make(len(mean), settings, None)
    norm.mean[...], norm.var[...] = jnp.asarray(mean), jnp.asarray(var)
    return nnx.state(norm)

  def statistics(self, state: Any) -> list[Any]:
    """Returns the running statistics as they are stored."""
    return [state[name][...] for name in ("mean", "var")]

  def _make(
    self, features: int, settings: Settings, state: Any, **more: Any
  ) -> Any:
    arguments = {**self.arguments(settings), **more}
    norm = self.norm(features, rngs=nnx.Rngs(0), **arguments)
    if state is not None:
      nnx.update(norm, state)
    return norm
