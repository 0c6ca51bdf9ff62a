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
import jax.numpy as jnp
from jax.interpreters import partial_eval

from bnjax.linen_tools import _modules
from bnjax.linen_tools._batches import Call
from bnjax.linen_tools._program import Site, Trace, follow, match, opaque

KERNELS = (nn.Dense, nn.DenseGeneral, nn.Conv, nn.ConvLocal, nn.ConvTranspose)
CUSTOM = (
  "dot_general",
  "dot_general_cls",
  "conv_general_dilated",
  "conv_general_dilated_cls",
)


def trace(
  model: nn.Module,
  variables: Any,
  batch: Any,
  call: Call,
  kernels: tuple[type[nn.Module], ...] = (),
) -> Trace:
  """Traces the model on a batch of arrays or of shapes.

  `kernels` are linear layers besides Flax's.
  """
  found = Trace()
  run = nn.apply(call, model, mutable=["batch_stats"])
  replaced = partial(_replace_call, found, (*KERNELS, *kernels))

  def program(variables: Any, batch: Any) -> Any:
    with nn.intercept_methods(replaced):
      return run(variables, batch)[0]

  closed = jax.make_jaxpr(program)(variables, batch)
  outputs = [True] * len(closed.jaxpr.outvars)
  jaxpr, _ = partial_eval.dce_jaxpr(closed.jaxpr, outputs, instantiate=True)
  leaves = jax.tree_util.tree_flatten_with_path(variables)[0]
  known = {
    var: tuple(key.key for key in path if hasattr(key, "key"))
    for var, (path, _) in zip(jaxpr.invars, leaves, strict=False)
  }
  follow(jaxpr, known, found)
  match(jaxpr, found)
  return found


def _replace_call(
  found: Trace,
  kernels: tuple[type[nn.Module], ...],
  call: Any,
  args: tuple[Any, ...],
  kwargs: dict[str, Any],
  context: nn.module.InterceptorContext,
) -> Any:
  """Runs the module, and puts an opaque operation in the place of it."""
  module = context.module
  is_norm = _modules.is_norm_call(context)
  is_kernel = context.method_name == "__call__" and type(module) in kernels
  if not (is_norm or is_kernel):
    return call(*args, **kwargs)
  y = call(*args, **kwargs)
  own = {
    (kind, name): value
    for kind in ("params", "batch_stats")
    for name, value in module.variables.get(kind, {}).items()
    if hasattr(value, "dtype")
  }
  shapes = {at: value.shape for at, value in own.items()}
  sites = found.norms if is_norm else found.kernels
  site = sites.setdefault(module.path, Site(module.clone(parent=None), shapes))
  site.ndim, site.dtype = y.ndim, y.dtype
  if is_norm:
    norm = _modules.norm_call(module, args, kwargs)
    x, site.by_batch, site.affine = norm.x, norm.by_batch, norm.affine
  else:
    x = args[0] if args else kwargs["inputs"]
  return opaque.bind(
    jnp.asarray(x),
    *own.values(),
    names=tuple(own),
    shape=y.shape,
    dtype=y.dtype,
    is_norm=is_norm,
    path=module.path,
  )
