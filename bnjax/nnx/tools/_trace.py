"""Which norm of an NNX model directly follows which kernel.

As for linen, the model is traced with every linear layer and every norm
replaced by an opaque operation. Here the modules of a copy change their class.
"""

from dataclasses import dataclass
from functools import cache
from typing import Any

import jax
from flax import nnx
from flax.nnx.nn.dtypes import canonicalize_dtype

from bnjax.nnx.tools import _modules
from bnjax.tools._batches import Call
from bnjax.tools._modules import Path, norm_call
from bnjax.tools._opaque import Own, Trace, stand_in
from bnjax.tools._program import read

KERNELS = (nnx.Linear, nnx.LinearGeneral, nnx.Conv, nnx.ConvTranspose)


@dataclass(frozen=True, eq=False)
class Place:
  """Where a module is, and where to keep what is found of it."""

  path: Path
  found: Trace


def trace(
  model: nnx.Module,
  batch: Any,
  call: Call,
  types: tuple[tuple[type, ...], tuple[type, ...]],
) -> Trace:
  """Traces the model on a batch of arrays or of shapes.

  `types` are linear layers and norms besides Flax's and ours.
  """
  kernels, norms = (*KERNELS, *types[0]), (*_modules.NORMS, *types[1])
  found, model = Trace(), nnx.clone(model)
  for path, module in _modules.modules(model):
    kind = type(module)
    if kind in kernels:
      module.traced = Place(path, found)
      _modules.take_place(module, kind, _kernel)
    elif kind in norms:
      module.traced = Place(path, found)
      _modules.take_place(module, _modules.base_of(module), _norm)
      found.others[path] = (
        "BatchNorm's own __call__ is not reached in this call of the model"
      )
    elif isinstance(module, nnx.BatchNorm):
      found.others[path] = (
        f"{kind.__name__} is a subclass of BatchNorm and may do more: "
        f"norms=({kind.__name__},) folds what it inherits"
      )
  graph, state = nnx.split(model)

  def program(state: Any, batch: Any) -> Any:
    return nnx.as_pure(call(nnx.merge(graph, nnx.as_pure(state)), batch))

  known = [
    (_kind(variable), *path) for path, variable in nnx.to_flat_state(state)
  ]
  read(found, program, known, state, batch)
  for path in found.norms:
    found.others.pop(path, None)
  return found


def _kind(variable: nnx.Variable) -> str:
  return "params" if isinstance(variable, nnx.Param) else "other"


def _own(module: Any) -> Own:
  return {
    (_kind(variable), name): variable.get_value()
    for name, variable in _modules.variables(module)
  }


@cache
def _kernel(base: Any) -> Any:
  """Returns a linear layer whose result is an opaque operation's."""

  class Kernel(base):
    def __call__(self, *args: Any, **kwargs: Any) -> jax.Array:
      y = super().__call__(*args, **kwargs)
      x = args[0] if args else next(iter(kwargs.values()))
      place = self.traced
      return stand_in(place.found, self, place.path, _own(self), x, y)

  return Kernel


@cache
def _norm(base: Any) -> Any:
  """Returns a norm whose result is an opaque operation's."""

  class Norm(base):
    def __call__(self, *args: Any, **kwargs: Any) -> jax.Array:
      called, own = norm_call(self, args, kwargs), _own(self)
      if called.by_batch or called.updates:  # Only its shape counts.
        arrays = (called.x, *own.values())
        dtype = canonicalize_dtype(*arrays, dtype=self.dtype)
        y: Any = jax.ShapeDtypeStruct(called.x.shape, dtype)
      else:
        y = super().__call__(*args, **kwargs)
      place = self.traced
      return stand_in(place.found, self, place.path, own, called.x, y, called)

  return Norm
