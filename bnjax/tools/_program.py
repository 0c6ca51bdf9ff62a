"""Read from a program which norm follows which kernel, and who reads what.

In the program, layers and norms are opaque operations: their operands are what
they are applied to, and then their variables.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import jax
import jax.numpy as jnp
from jax.extend.core import ClosedJaxpr, Jaxpr, Literal
from jax.interpreters import partial_eval

from bnjax.tools._modules import Path
from bnjax.tools._opaque import Trace, opaque

# Operations whose operands are those of the program in them, one to one.
CALLS = ("jit", "pjit", "remat2", "checkpoint", "scan", "cond")
# Operations that keep the features where they are, and the values.
TRANSPARENT = ("convert_element_type", "name", "copy", "reshape")


def read(found: Trace, program: Any, known: list[Path], *args: Any) -> None:
  """Traces the program and finds what its layers' data flow is.

  Args:
    found: is added to.
    program: calls the model, its layers replaced by `stand_in`.
    known: collection, path and name of the program's first inputs.
    *args: of the program.
  """
  closed = jax.make_jaxpr(program)(*args)
  outputs = [True] * len(closed.jaxpr.outvars)
  jaxpr, _ = partial_eval.dce_jaxpr(closed.jaxpr, outputs, instantiate=True)
  follow(jaxpr, dict(zip(jaxpr.invars, known, strict=False)), found)
  match(jaxpr, found)


def follow(jaxpr: Jaxpr, known: dict[Any, Path], found: Trace) -> None:
  """Follows every variable to its uses; into nested programs, too."""
  for eqn in jaxpr.eqns:
    if eqn.primitive is opaque:
      path, names = eqn.params["path"], eqn.params["names"]
      for var, (kind, name) in zip(eqn.invars[1:], names, strict=True):
        if known.get(var) != (kind, *path, name):
          found.transformed.add(path)
          if var in known:  # It is another's, too.
            found.read_elsewhere.add(known[var][1:-1])
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
          found.before.setdefault(path, set()).add(source.params["path"])
          break
        operand = source.invars[0]
    if reason is not None:
      found.reasons.setdefault(path, reason)


def _variables(atoms: Iterable[Any]) -> list[Any]:
  return [atom for atom in atoms if not isinstance(atom, Literal)]


def _reason(source: Any, uses: int) -> str | None:
  """Says why a value that this equation makes cannot take in a norm."""
  if source is None:
    return "its input is the model's input, or comes from outside a nested jit"
  name = source.primitive.name
  if source.primitive is opaque:
    if source.params["is_norm"]:
      return f"its input comes from the norm {named(source.params['path'])}"
    kernel = named(source.params["path"])
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


def named(path: Path) -> str:
  """Returns the path as a person would write it."""
  return "/".join(map(str, path)) or "the model"
