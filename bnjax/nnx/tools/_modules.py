"""What the tools know of NNX modules, and how they take a norm's place."""

from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

from flax import nnx

from bnjax.nnx import BatchNorm
from bnjax.tools._modules import Path

NORMS = (nnx.BatchNorm, BatchNorm)
Mixin = Callable[[Any], Any]


def modules(model: nnx.Module) -> list[tuple[Path, Any]]:
  """Returns every module once, by its path."""
  return [
    (tuple(path), node)
    for path, node in nnx.iter_graph(model)
    if isinstance(node, nnx.Module)
  ]


def norms(model: nnx.Module) -> list[tuple[Path, Any]]:
  """Returns every batch norm once, by its path: Flax's, ours, subclasses."""
  return [at for at in modules(model) if isinstance(at[1], nnx.BatchNorm)]


def in_inference(model: nnx.Module) -> Any:
  """Returns a copy in inference mode; the model stays as it is."""
  if not isinstance(model, nnx.Module):
    raise TypeError(
      f"The model must be an nnx.Module, got {type(model).__name__}: for Flax "
      "linen there are the functions of the same names one package up."
    )
  model = nnx.clone(model)
  model.eval()
  return model


def base_of(norm: nnx.BatchNorm) -> Any:
  """Returns the class whose `__call__` a norm has or inherits."""
  return BatchNorm if isinstance(norm, BatchNorm) else nnx.BatchNorm


def variables(module: Any) -> Iterator[tuple[str, Any]]:
  """Yields the variables that are the module's own."""
  for name, value in vars(module).items():
    if isinstance(value, nnx.Variable):
      yield name, value


def take_place(
  module: Any, base: Any, mixin: Mixin, outer: Callable[..., Any] | None = None
) -> None:
  """Makes a module call `mixin(base)` where it would call `base`.

  In a subclass of `base`, that is where it calls `super().__call__`; `outer`
  is called in the place of its own `__call__`.
  """
  kind: Any = type(module)
  kind = mixin(base) if kind is base else _between(kind, base, mixin, outer)
  object.__setattr__(module, "__class__", kind)


@cache
def _between(
  kind: Any, base: Any, mixin: Mixin, outer: Callable[..., Any] | None
) -> Any:
  """Returns `kind` with `mixin(base)` just before `base` among its bases."""
  members = {} if outer is None else {"__call__": outer}
  return type(kind)(kind.__name__, (kind, mixin(base)), members)
