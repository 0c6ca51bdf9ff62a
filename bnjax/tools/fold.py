"""Fold the batch norms of a Flax model into the kernels before them."""

from collections.abc import Mapping
from functools import partial
from typing import Any, NamedTuple

import flax
import flax.linen as nn
import jax.numpy as jnp
from flax.core.scope import CollectionFilter
from flax.linen import meta
from jax import lax

from bnjax.tools import _batches, _modules
from bnjax.tools._batches import Call
from bnjax.tools._modules import Path
from bnjax.tools._pairs import Pair, fold_pair
from bnjax.tools._refusal import refusal
from bnjax.tools._trace import trace


class Folded(NamedTuple):
  """A folded model.

  Attributes:
    variables: with the structure and shapes of the model's own, so that
      `model.apply` takes them; folded norms do nothing, or add a bias where
      the layer before has none.
    folded: what was folded.
    refused: path of every norm that was not -> why.

  Example:
    >>> import jax
    >>> import jax.numpy as jnp
    >>> import flax.linen as nn
    >>> from bnjax.tools import fold
    >>> model = nn.Sequential([nn.relu, nn.BatchNorm(True)])
    >>> x = jnp.ones((2, 3))
    >>> fold(model, model.init(jax.random.key(0), x), x).refused
    {('layers_1',): 'its input is the output of `relu`, not of a kernel'}
  """

  variables: Any
  folded: tuple[Pair, ...]
  refused: dict[Path, str]


def fold(
  model: nn.Module,
  variables: Any,
  batch: Any,
  *,
  call: Call = _batches.call_model,
  kernels: type[nn.Module] | tuple[type[nn.Module], ...] = (),
  norms: type[nn.BatchNorm] | tuple[type[nn.BatchNorm], ...] = (),
  mutable: CollectionFilter = False,
  rngs: Any = None,
) -> Folded:
  """Folds every batch norm that directly follows a kernel into that kernel.

  "Directly follows" is read from the traced program, not from names: the
  norm's input is the output of a `Dense`, `DenseGeneral`, `Conv`,
  `ConvLocal` or `ConvTranspose`, up to a reshape or cast, and nothing else
  uses that output, the kernel or the norm's variables. Every other norm stays
  as it is, with the reason in `refused`. Outputs are equal up to rounding,
  and so are derivatives by the input, also those that the model takes itself.
  A subclass of a layer or norm may do more than it: name it, or it is refused.

  `model.apply(folded.variables, ...)` runs the result anywhere;
  `apply_folded` also leaves the folded norms out of the program. Both can be
  jitted and exported by `jax.export`.

  Args:
    model: a Flax linen module.
    variables: its variables; not changed.
    batch: what `call` takes, arrays or `jax.ShapeDtypeStruct`s.
    call: (bound model, batch) -> anything, by default `model(batch)`; must
      call the model in inference mode, for instance
      `lambda model, x: model(x, train=False)`.
    kernels: further types of linear layers, whose result is linear in their
      `kernel` [..., in, features], and to which their `bias` is added.
    norms: subclasses of batch norm, Flax's or ours, that call its `__call__`.
      What they do before and after that stays.
    mutable: as of `model.apply`, for a model that writes other collections.
    rngs: likewise, for one that draws random numbers even in inference.

  Returns:
    Folded. Folded kernels keep the dtype they had, and are computed in
    float32 or higher.

  Raises:
    TypeError: `kernels` or `norms` are no classes, or the model does not take
      the batch.
    ValueError: no `batch_stats`.

  Reference:
    Ioffe and Szegedy (2015), arXiv:1502.03167, Algorithm 2, line 11.

  Example:
    >>> import jax
    >>> import jax.numpy as jnp
    >>> import flax.linen as nn
    >>> from bnjax.tools import fold
    >>> model = nn.Sequential([nn.Dense(4), nn.BatchNorm(True), nn.relu])
    >>> x = jnp.ones((2, 3))
    >>> result = fold(model, model.init(jax.random.key(0), x), x)
    >>> [(pair.kernel, pair.norm) for pair in result.folded]
    [(('layers_0',), ('layers_1',))]
    >>> result.refused
    {}
  """
  if not variables.get("batch_stats"):
    raise ValueError(
      "These variables have no batch_stats, so no norm to fold: give all of "
      "the model's, {'params': ..., 'batch_stats': ...}."
    )
  plain = whole = meta.unbox(flax.core.unfreeze(variables))
  types = (
    _modules.as_types(kernels, "kernels"),
    _modules.as_types(norms, "norms"),
  )
  options = {"mutable": mutable, "rngs": rngs}

  def run(batch: Any) -> Any:
    return trace(model, plain, batch, call, types, options)

  found = _batches.explained(run, call)(batch)
  pairs, refused = [], dict(found.others)
  for norm in found.norms:
    refused.pop(norm, None)

  def shape(kind: str, path: Path, name: str) -> tuple[int, ...]:
    return _modules.get(whole[kind], path)[name].shape

  for norm, site in found.norms.items():
    reason = refusal(norm, found, shape)
    if reason is not None:
      refused[norm] = reason
      continue
    (kernel,), (dtype,) = found.before[norm], site.dtypes
    shifts = ("params", "bias") not in found.kernels[kernel].shapes
    pairs.append(Pair(kernel, norm, shifts, dtype))
    plain = fold_pair(plain, found.kernels[kernel], kernel, site, norm)
  result = meta.replace_boxed(flax.core.unfreeze(variables), plain)
  if isinstance(variables, flax.core.FrozenDict):
    result = flax.core.freeze(result)
  return Folded(result, tuple(pairs), refused)


def apply_folded(
  model: nn.Module,
  folded: Folded,
  batch: Any,
  *,
  call: Call = _batches.call_model,
  mutable: CollectionFilter = False,
  rngs: Any = None,
) -> Any:
  """Runs a folded model without the norms that were folded.

  Args:
    model: the module that was folded.
    folded: what `fold` returned.
    batch: what `call` takes.
    call: (bound model, batch) -> outputs, as it was given to `fold`.
    mutable: as it was given to `fold`.
    rngs: of `model.apply`.

  Returns:
    What `call` returns: for a jitted call in as little time as if the model
    had been written without these norms. With `mutable` a pair of it and what
    was written, as `model.apply` does.

  Example:
    >>> import jax
    >>> import jax.numpy as jnp
    >>> import flax.linen as nn
    >>> from bnjax.tools import apply_folded, fold
    >>> model = nn.Sequential([nn.Dense(4), nn.BatchNorm(True)])
    >>> x = jnp.ones((2, 3))
    >>> folded = fold(model, model.init(jax.random.key(0), x), x)
    >>> print(jax.make_jaxpr(lambda x: apply_folded(model, folded, x))(x))
    { ... dot_general... add ... }
  """
  pairs = {pair.norm: pair for pair in folded.folded}
  with _modules.intercepted(partial(_leave_out, pairs), folded.folded):
    return nn.apply(call, model, mutable=mutable)(
      folded.variables, batch, rngs=rngs
    )


def _leave_out(
  pairs: Mapping[Path, Pair],
  call: Any,
  args: tuple[Any, ...],
  kwargs: dict[str, Any],
  context: nn.module.InterceptorContext,
) -> Any:
  norm: Any = context.module
  if not _modules.is_norm_call(context) or norm.path not in pairs:
    return call(*args, **kwargs)
  x = _modules.norm_call(norm, args, kwargs).x
  pair = pairs[norm.path]
  if pair.shifts:
    mean = norm.variables["batch_stats"]["mean"]
    x = x.astype(mean.dtype) - lax.expand_dims(mean, range(x.ndim - 1))
  if getattr(norm, "activation", None) == "relu":
    x = jnp.maximum(x, 0)
  return x.astype(pair.dtype)


__all__ = ["Folded", "Pair", "apply_folded", "fold"]
