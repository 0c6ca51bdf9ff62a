"""`torch.nn.BatchNorm1d`."""

from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
import torch

from benchmarks.conformance.library import (
  EPSILON,
  Call,
  Claim,
  Library,
  Settings,
)


class Torch(Library):
  """Its state is the module itself."""

  name = "torch"
  axis_names = False
  debiases = True  # momentum=None: the average of all batches.
  claims = (Claim("the docstring", 0.9, unbiased=True),)
  calculus: ClassVar[Any] = torch.func

  def _step(self, x: Any, settings: Settings, call: Call) -> tuple[Any, Any]:
    norm = call.state or _norm(x.shape[-1], settings)
    return norm.train()(x), norm

  def infer(self, x: Any, settings: Settings, state: Any) -> Any:
    """Returns the output of inference."""
    with torch.no_grad():
      return state.eval()(x)

  def state_of(self, mean: Any, var: Any, settings: Settings) -> Any:
    """Returns a state that holds these running statistics."""
    norm = _norm(len(mean), settings)
    norm.running_mean.copy_(torch.from_numpy(mean))
    norm.running_var.copy_(torch.from_numpy(var))
    return norm

  def initial(self, features: int, settings: Settings) -> Any:
    """Returns a module that torch.func takes: one that keeps no statistics."""
    return torch.nn.BatchNorm1d(
      features, eps=EPSILON, track_running_stats=False
    )

  def statistics(self, state: Any) -> list[Any]:
    """Returns the running statistics as they are stored."""
    return [state.running_mean, state.running_var]

  def array(self, values: np.ndarray, dtype: str = "float32") -> Any:
    """Returns a tensor."""
    return torch.from_numpy(np.array(values)).to(getattr(torch, dtype))

  def compile(self, function: Callable[..., Any]) -> Callable[..., Any]:
    """Returns the function as it is run: as it is."""
    return function

  def relu(self, y: Any) -> Any:
    """Returns max(y, 0)."""
    return torch.relu(y)

  def residual_bytes(self, function: Callable[[Any], Any], x: Any) -> int:
    """Returns what a backward pass keeps, in bytes."""
    kept: dict[int, int] = {}

    def pack(tensor: Any) -> Any:
      kept[tensor.data_ptr()] = tensor.nbytes
      return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda kept: kept):
      y = function(x.clone().requires_grad_())
    del y
    return sum(kept.values())


def _norm(features: int, settings: Settings) -> Any:
  more: dict[str, Any] = {}
  if settings.debias:
    more["momentum"] = None
  elif settings.decay is not None:
    more["momentum"] = 1 - settings.decay
  return torch.nn.BatchNorm1d(features, eps=EPSILON, **more)
