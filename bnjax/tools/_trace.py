"""Which norm directly follows which kernel: read from the traced model.

Names and the order of calls do not say it. The model is traced with every
linear layer and every norm replaced by an opaque operation; in what is then
the program, a norm follows a kernel if its operand is the kernel's result and
nothing else uses it. Whatever else still reads a parameter is visible too.
"""

from functools import partial
from typing import Any

import flax.linen as nn
import jax
from flax.linen.dtypes import canonicalize_dtype

from bnjax.tools import _modules
from bnjax.tools._batches import Call
from bnjax.tools._opaque import Trace, stand_in
from bnjax.tools._program import read

KERNELS = (nn.Dense, nn.DenseGeneral, nn.Conv, nn.ConvLocal, nn.ConvTranspose)
Types = tuple[type, ...]


def trace(
  model: nn.Module,
  variables: Any,
  batch: Any,
  call: Call,
  types: tuple[Types, Types],
  options: dict[str, Any],
) -> Trace:
  """Traces the model on a batch of arrays or of shapes.

  `types` are linear layers and norms besides Flax's and ours; `options` are
  `mutable` and `rngs`.
  """
  found = Trace()
  run = nn.apply(call, model, mutable=options["mutable"])
  kernels, norms = (*KERNELS, *types[0]), (*_modules.NORMS, *types[1])
  replaced = partial(_replace_call, found, kernels, norms)

  def program(variables: Any, batch: Any) -> Any:
    with _modules.intercepted(replaced, object()):
      return run(variables, batch, rngs=options["rngs"])

  leaves = jax.tree_util.tree_flatten_with_path(variables)[0]
  known = [
    tuple(key.key for key in path if hasattr(key, "key")) for path, _ in leaves
  ]
  read(found, program, known, variables, batch)
  return found


def _replace_call(
  found: Trace,
  kernels: Types,
  norms: Types,
  call: Any,
  args: tuple[Any, ...],
  kwargs: dict[str, Any],
  context: nn.module.InterceptorContext,
) -> Any:
  """Runs the module, and puts an opaque operation in the place of it."""
  module: Any = context.module
  kind = type(module)
  if context.method_name not in ("setup", "<lambda>"):
    found.types.setdefault(module.path, set()).add(kind)
  if _modules.is_other_norm_call(context):
    found.others[module.path] = (
      f"{kind.__name__} does not call BatchNorm's own __call__"
      if kind in norms
      else f"{kind.__name__} is a subclass of BatchNorm and may do more: "
      f"norms=({kind.__name__},) folds what it inherits"
    )
  own = {
    (collection, name): value
    for collection in ("params", "batch_stats")
    for name, value in module.variables.get(collection, {}).items()
    if hasattr(value, "dtype")
  }
  keep = partial(stand_in, found, module.clone(parent=None), module.path, own)
  if _modules.is_norm_call(context) and kind in norms:
    norm = _modules.norm_call(module, args, kwargs)
    if (
      norm.by_batch or norm.updates
    ):  # It may not, here; only its shape counts.
      parameters = [v for (kind, _), v in own.items() if kind == "params"]
      dtype = canonicalize_dtype(norm.x, *parameters, dtype=module.dtype)
      return keep(norm.x, jax.ShapeDtypeStruct(norm.x.shape, dtype), norm)
    return keep(norm.x, call(*args, **kwargs), norm)
  y = call(*args, **kwargs)
  if context.method_name == "__call__" and kind in kernels:
    x = args[0] if args else next(iter(kwargs.values()))
    return keep(x, y)
  return y
