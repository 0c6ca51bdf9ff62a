"""What the tools know of Flax modules: which are norms, how they are called."""

from collections.abc import Callable
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import lax

from bnjax.linen import BatchNorm

Path = tuple[str, ...]
Call = Callable[[Any, Any], Any]


def call_model(model: Any, batch: Any) -> Any:
  """Calls the model with the batch alone."""
  return model(batch)


def is_norm_call(context: nn.module.InterceptorContext) -> bool:
  """Whether the intercepted method is a batch norm's `__call__`."""
  return context.method_name == "__call__" and isinstance(
    context.module, (nn.BatchNorm, BatchNorm)
  )


class NormCall(NamedTuple):
  """How a norm is called.

  Attributes:
    x: what it normalizes.
    mask: which of it counts, or None.
    by_batch: whether it normalizes by the batch.
    affine: whether the call brings a scale or bias of its own.
  """

  x: jax.Array
  mask: jax.Array | None
  by_batch: bool
  affine: bool


def norm_call(
  norm: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> NormCall:
  """Sorts the arguments of a batch norm's `__call__`, Flax's or ours."""

  def sort(
    x: jax.Array,
    use_running_average: bool | None = None,
    *,
    mask: jax.Array | None = None,
    normalize_with: str | None = None,
    update_running: bool | None = None,
    scale: jax.Array | None = None,
    bias: jax.Array | None = None,
  ) -> NormCall:
    source = normalize_with or getattr(norm, "normalize_with", None)
    if source is None:
      running = nn.merge_param(
        "use_running_average", norm.use_running_average, use_running_average
      )
      source = "running" if running else "batch"
    affine = scale is not None or bias is not None
    return NormCall(jnp.asarray(x), mask, source == "batch", affine)

  return sort(*args, **kwargs)


def get(tree: Any, path: Path) -> Any:
  """Returns the node at a path of nested dicts, or an empty one."""
  for name in path:
    tree = tree.get(name, {})
  return tree


def bound(axis_name: Any) -> Any:
  """Returns the axis name, or None where no such axis is mapped over."""
  if axis_name is None:
    return None
  try:
    lax.axis_index(axis_name)
  except NameError:
    return None
  return axis_name
