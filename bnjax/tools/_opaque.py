"""The operation that stands for a layer in a program, and who they were."""

from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
from jax.extend.core import Primitive
from jax.interpreters import ad, batching

from bnjax.tools._modules import NormCall, Path

opaque = Primitive("bnjax_opaque")


@opaque.def_abstract_eval
def _(*_, shape, dtype, **__):  # type: ignore[no-untyped-def]
  return jax.core.ShapedArray(shape, dtype)


def _batch(args, dims, *, shape, **params):  # type: ignore[no-untyped-def]
  pairs = zip(args, dims, strict=True)
  size = next(x.shape[d] for x, d in pairs if d is not None)
  return opaque.bind(*args, shape=(size, *shape), **params), 0


def _jvp(primals, tangents, **params):  # type: ignore[no-untyped-def]
  """Gives a tangent with the data flow of the right one, not its values.

  A kernel, or a norm in inference, is linear in its input, whose tangent then
  reads no input. The derivative by a variable does, and is seen to.
  """
  y = opaque.bind(*primals, **params)
  (dx, *dvariables), variables = tangents, primals[1:]
  total: Any = jnp.zeros((), y.dtype)
  if not isinstance(dx, ad.Zero):
    total += dx.sum().astype(y.dtype)
  for variable, tangent in zip(variables, dvariables, strict=True):
    if not isinstance(tangent, ad.Zero):
      total += (variable * tangent).sum().astype(y.dtype)
  return y, jnp.broadcast_to(total, y.shape)


batching.primitive_batchers[opaque] = _batch
ad.primitive_jvps[opaque] = _jvp


@dataclass
class Site:
  """One module as it was called.

  Attributes:
    module: the module, or a copy of it.
    shapes: of its variables, by collection and name, where it was called.
    calls: at how many places of the program it is called.
    by_batch: whether a norm normalized by the batch.
    affine: whether a norm was called with a scale or bias.
    updates: whether a norm was told to update its statistics.
    ranks: numbers of axes of its results.
    dtypes: of its results.
  """

  module: Any
  shapes: dict[tuple[str, str], tuple[int, ...]]
  calls: int = 0
  by_batch: bool = False
  affine: bool = False
  updates: bool = False
  ranks: set[int] = field(default_factory=set)
  dtypes: set[Any] = field(default_factory=set)


@dataclass
class Trace:
  """What the traced model says about its kernels and norms.

  Attributes:
    kernels: every linear layer that was called.
    norms: every batch norm that was called.
    others: why a norm is not in `norms`.
    types: of the modules at each path; several share their scope.
    before: the kernels whose results, and nothing else, a norm reads.
    reasons: why there is no such kernel before one of its calls.
    read_elsewhere: modules with a variable that is used outside them.
    transformed: modules that do not see their variables as they are.
  """

  kernels: dict[Path, Site] = field(default_factory=dict)
  norms: dict[Path, Site] = field(default_factory=dict)
  others: dict[Path, str] = field(default_factory=dict)
  types: dict[Path, set[type]] = field(default_factory=dict)
  before: dict[Path, set[Path]] = field(default_factory=dict)
  reasons: dict[Path, str] = field(default_factory=dict)
  read_elsewhere: set[Path] = field(default_factory=set)
  transformed: set[Path] = field(default_factory=set)


Own = dict[tuple[str, str], jax.Array]


def stand_in(
  found: Trace,
  module: Any,
  path: Path,
  own: Own,
  x: Any,
  y: Any,
  norm: NormCall | None = None,
) -> jax.Array:
  """Returns an opaque operation's result, and keeps how it was called.

  Args:
    found: what has been found so far.
    module: that was called.
    path: where it is.
    own: its variables, by collection and name.
    x: its input.
    y: its result, or the shape and dtype of it.
    norm: how it was called, if it is a norm.
  """
  sites = found.kernels if norm is None else found.norms
  shapes = {name: value.shape for name, value in own.items()}
  site = sites.setdefault(path, Site(module, shapes))
  site.ranks.add(len(y.shape))
  site.dtypes.add(y.dtype)
  if norm is not None:
    site.by_batch |= norm.by_batch
    site.affine |= norm.affine
    site.updates |= norm.updates
  return opaque.bind(
    jnp.asarray(x),
    *own.values(),
    names=tuple(own),
    shape=y.shape,
    dtype=y.dtype,
    is_norm=norm is not None,
    path=path,
  )
