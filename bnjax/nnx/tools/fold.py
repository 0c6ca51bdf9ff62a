"""Fold the batch norms of an NNX model into the kernels before them."""

from functools import cache
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax import nnx

from bnjax.nnx.tools import _modules
from bnjax.nnx.tools._trace import trace
from bnjax.ops import fold_conv
from bnjax.tools import _batches
from bnjax.tools._batches import Call
from bnjax.tools._modules import Path, as_types
from bnjax.tools._refusal import refusal

Types = type[nnx.Module] | tuple[type[nnx.Module], ...]


class Folded(NamedTuple):
  """A folded model.

  Attributes:
    model: a copy, in inference mode, without the norms that were folded.
    folded: path of every norm that was folded -> that of the layer it is in.
    refused: path of every norm that was not -> why.

  Example:
    >>> import jax.numpy as jnp
    >>> from flax import nnx
    >>> rngs = nnx.Rngs(0)
    >>> model = nnx.Sequential(
    ...   nnx.Linear(3, 2, rngs=rngs), nnx.BatchNorm(2, rngs=rngs)
    ... )
    >>> fold(model, jnp.ones((1, 3))).folded
    {('layers', 1): ('layers', 0)}
  """

  model: Any
  folded: dict[Path, Path]
  refused: dict[Path, str]


def fold(
  model: nnx.Module,
  batch: Any,
  *,
  call: Call = _batches.call_model,
  kernels: Types = (),
  norms: Types = (),
) -> Folded:
  """Folds every batch norm that directly follows a kernel into that kernel.

  As `bnjax.tools.fold`, whose rules it follows: what follows what is
  read from the traced program, and what is not sure is refused with a reason.
  The layers are `Linear`, `LinearGeneral`, `Conv` and `ConvTranspose`. In the
  result nothing is left of a folded norm but its `activation`; a layer without
  a bias gets one.

  Args:
    model: an NNX module; not changed.
    batch: what `call` takes, arrays or `jax.ShapeDtypeStruct`s.
    call: (model in inference mode, batch) -> anything, by default
      `model(batch)`.
    kernels: further types of linear layers, whose result is linear in their
      `kernel` [..., in, features], and to which their `bias`, which may be
      None, is added.
    norms: subclasses of batch norm, Flax's or ours, that call its `__call__`.
      What they do before and after that stays.

  Returns:
    Folded. Folded kernels keep the dtype they had, and are computed in
    float32 or higher.

  Raises:
    TypeError: `kernels` or `norms` are no classes, or the model does not take
      the batch.
    ValueError: the model has no batch norm.

  Reference:
    Ioffe and Szegedy (2015), arXiv:1502.03167, Algorithm 2, line 11.

  Example:
    >>> import jax.numpy as jnp
    >>> from flax import nnx
    >>> rngs = nnx.Rngs(0)
    >>> model = nnx.Sequential(
    ...   nnx.Linear(3, 2, use_bias=False, rngs=rngs),
    ...   nnx.BatchNorm(2, rngs=rngs),
    ... )
    >>> x = jnp.ones((4, 3))
    >>> folded = fold(model, x).model
    >>> [type(layer).__name__ for layer in folded.layers]
    ['Linear', 'FoldedNorm']
    >>> model.eval()
    >>> bool(jnp.allclose(folded(x), model(x), atol=1e-6))
    True
  """
  types = (as_types(kernels, "kernels"), as_types(norms, "norms"))
  result = _modules.in_inference(model)
  at = dict(_modules.modules(result))

  def run(batch: Any) -> Any:
    return trace(result, batch, call, types)

  def shape(_: str, path: Path, name: str) -> tuple[int, ...]:
    return getattr(at[path], name).get_value().shape

  found = _batches.explained(run, call)(batch)
  if not found.norms and not found.others:
    raise ValueError("This model has no batch norm to fold.")
  folded, refused = {}, dict(found.others)
  for path, site in found.norms.items():
    reason = refusal(path, found, shape)
    if reason is not None:
      refused[path] = reason
      continue
    (kernel,), (dtype,) = found.before[path], site.dtypes
    folded[path] = kernel
    _fold_pair(at[kernel], at[path])
    _leave_out(at[path], dtype)
  return Folded(result, folded, refused)


def _fold_pair(layer: Any, norm: Any) -> None:
  """Folds a norm into the layer."""

  def value(variable: Any) -> Any:
    return None if variable is None else variable.get_value()

  kernel, bias = fold_conv(
    value(layer.kernel),
    value(layer.bias),
    value(norm.scale),
    value(norm.bias),
    value(norm.mean),
    value(norm.var),
    norm.epsilon,
    transpose_kernel=getattr(layer, "transpose_kernel", False),
  )
  old = layer.kernel.get_value()
  layer.kernel[...] = kernel.astype(old.dtype)
  if layer.bias is None:
    layer.bias, layer.use_bias = nnx.Param(bias.astype(old.dtype)), True
  else:
    layer.bias[...] = bias.astype(layer.bias.get_value().dtype)


class FoldedNorm(nnx.Module):
  """What is left of a batch norm once it is folded: dtype and activation."""

  def __call__(self, *args: Any, **kwargs: Any) -> jax.Array:
    """Returns x, converted, with the norm's activation."""
    return _rest(self, args, kwargs)


def _rest(norm: Any, args: Any, kwargs: Any) -> jax.Array:
  x = args[0] if args else kwargs["x"]
  if getattr(norm, "activation", None) == "relu":
    x = jnp.maximum(x, 0)
  return x.astype(norm.folded_dtype)


@cache
def _left_out(base: Any) -> Any:
  """Returns the norm that a named subclass has left."""

  class LeftOut(base):
    def __call__(self, *args: Any, **kwargs: Any) -> jax.Array:
      return _rest(self, args, kwargs)

  return LeftOut


def _leave_out(norm: Any, dtype: Any) -> None:
  """Makes a norm do nothing, without variables."""
  for name, _ in list(_modules.variables(norm)):
    delattr(norm, name)
  norm.folded_dtype = dtype
  if type(norm) in _modules.NORMS:
    object.__setattr__(norm, "__class__", FoldedNorm)
  else:
    _modules.take_place(norm, _modules.base_of(norm), _left_out)
