"""Read from a program which norm follows which kernel, and who reads what.

In the program, layers and norms are opaque operations: their operands are what
they are applied to, and then their variables.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
from jax.extend.core import ClosedJaxpr, Jaxpr, Literal, Primitive
from jax.interpreters import batching

from bnjax.tools._modules import Path

# Operations whose operands are those of the program in them, one to one.
CALLS = ("jit", "pjit", "remat2", "checkpoint", "scan", "cond")
# Operations that keep the features where they are, and the values.
TRANSPARENT = ("convert_element_type", "name", "copy", "reshape")

opaque = Primitive("bnjax_opaque")


@opaque.def_abstract_eval
def _(*_, shape, dtype, **__):  # type: ignore[no-untyped-def]
  return jax.core.ShapedArray(shape, dtype)


def _batch(args, dims, *, shape, **params):  # type: ignore[no-untyped-def]
  pairs = zip(args, dims, strict=True)
  size = next(x.shape[d] for x, d in pairs if d is not None)
  return opaque.bind(*args, shape=(size, *shape), **params), 0


batching.primitive_batchers[opaque] = _batch


@dataclass
class Site:
  """One module as it was called.

  Attributes:
    module: a copy of the module, unbound.
    shapes: of its variables, by collection and name, where it was called.
    calls: at how many places of the program it is called.
    by_batch: whether a norm normalized by the batch.
    affine: whether a norm was called with a scale or bias.
    ndim: number of axes of its result.
    dtype: of its result.
  """

  module: Any
  shapes: dict[tuple[str, str], tuple[int, ...]]
  calls: int = 0
  by_batch: bool = False
  affine: bool = False
  ndim: int = 0
  dtype: Any = None


@dataclass
class Trace:
  """What the traced model says about its kernels and norms.

  Attributes:
    kernels: every linear layer that was called.
    norms: every batch norm that was called.
    before: the kernel whose result, and nothing else, a norm reads.
    reasons: why there is no such kernel.
    read_elsewhere: modules with a variable that is used outside them.
    transformed: modules that do not see their variables as they are.
  """

  kernels: dict[Path, Site] = field(default_factory=dict)
  norms: dict[Path, Site] = field(default_factory=dict)
  before: dict[Path, Path] = field(default_factory=dict)
  reasons: dict[Path, str] = field(default_factory=dict)
  read_elsewhere: set[Path] = field(default_factory=set)
  transformed: set[Path] = field(default_factory=set)


def follow(jaxpr: Jaxpr, known: dict[Any, Path], found: Trace) -> None:
  """Follows every variable to its uses; into nested programs, too."""
  for eqn in jaxpr.eqns:
    if eqn.primitive is opaque:
      path, names = eqn.params["path"], eqn.params["names"]
      for var, (kind, name) in zip(eqn.invars[1:], names, strict=True):
        if known.get(var) != (kind, *path, name):
          found.transformed.add(path)
      used = _variables(eqn.invars[:1])
    else:
      used = _variables(eqn.invars)
      for inner in _inner(list(eqn.params.values())):
        # The first operand of a conditional is its predicate.
        operands = eqn.invars[-len(inner.invars) :] if inner.invars else []
        if eqn.primitive.name in CALLS and len(operands) == len(inner.invars):
          pairs = zip(inner.invars, operands, strict=True)
          mapped = {a: known[b] for a, b in _known(pairs, known)}
          follow(inner, mapped, found)
          used = _variables(eqn.invars[: -len(operands) or None])
        else:
          follow(inner, {}, found)
    found.read_elsewhere |= {known[var][1:-1] for var in used if var in known}
  outputs = _variables(jaxpr.outvars)
  found.read_elsewhere |= {known[var][1:-1] for var in outputs if var in known}


def _known(pairs: Iterable[Any], known: dict[Any, Path]) -> list[Any]:
  return [
    (inner, outer)
    for inner, outer in pairs
    if not isinstance(outer, Literal) and outer in known
  ]


def match(jaxpr: Jaxpr, found: Trace) -> None:
  """Finds the kernel before every norm, one (sub)program at a time."""
  uses: Counter[Any] = Counter()
  for eqn in jaxpr.eqns:
    uses.update(_variables(eqn.invars))
  uses.update(_variables(jaxpr.outvars))
  made: dict[Any, Any] = {v: eqn for eqn in jaxpr.eqns for v in eqn.outvars}
  for eqn in jaxpr.eqns:
    for inner in _inner(eqn.params):
      match(inner, found)
    if eqn.primitive is not opaque:
      continue
    path, operand = eqn.params["path"], eqn.invars[0]
    if not eqn.params["is_norm"]:
      found.kernels[path].calls += 1
      continue
    found.norms[path].calls += 1
    reason = None
    while reason is None:
      source = made.get(operand)
      reason = _reason(source, uses[operand])
      if reason is None and source is not None:
        if source.primitive is opaque:
          found.before[path] = source.params["path"]
          break
        operand = source.invars[0]
    if reason is not None:
      found.reasons[path] = reason


def _variables(atoms: Iterable[Any]) -> list[Any]:
  return [atom for atom in atoms if not isinstance(atom, Literal)]


def _reason(source: Any, uses: int) -> str | None:
  """Says why a value that this equation makes cannot take in a norm."""
  if source is None:
    return "its input is the model's input, or comes from outside a nested jit"
  name = source.primitive.name
  if source.primitive is opaque:
    if source.params["is_norm"]:
      return f"its input comes from the norm {_name(source.params['path'])}"
    kernel = _name(source.params["path"])
    return f"the output of {kernel} has other uses" if uses > 1 else None
  if uses > 1:
    return f"its input, the output of `{name}`, has other uses"
  if name in TRANSPARENT:
    return _opacity(name, source.invars[0].aval, source.outvars[0].aval)
  function = _function(source)
  return f"its input is the output of `{function}`, not of a kernel"


def _opacity(name: str, x: Any, y: Any) -> str | None:
  """Says why an operation does more than to pass values on."""
  if name == "reshape" and x.shape[-1:] != y.shape[-1:]:
    return "a reshape that moves features lies between it and what is before"
  kinds = {jnp.issubdtype(value.dtype, jnp.floating) for value in (x, y)}
  if kinds != {True}:
    return "a conversion from or to integers lies before it"
  return None


def _function(eqn: Any) -> str:
  """Returns what a person would call it: `relu`, not `custom_jvp_call`."""
  name = eqn.params.get("name")
  if isinstance(name, str):
    return name
  for inner in _inner(list(eqn.params.values())):
    if len(inner.eqns) == 1:
      return _function(inner.eqns[0])
  return eqn.primitive.name


def _inner(value: Any) -> Iterator[Jaxpr]:
  """Yields the programs inside an equation's parameters."""
  if isinstance(value, ClosedJaxpr):
    yield value.jaxpr
  elif isinstance(value, Jaxpr):
    yield value
  elif isinstance(value, Mapping):
    for part in value.values():
      yield from _inner(part)
  elif isinstance(value, (tuple, list)):
    for part in value:
      yield from _inner(part)


def _name(path: Path) -> str:
  return "/".join(path) or "the model"
