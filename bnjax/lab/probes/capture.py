"""Outputs and gradients of every layer of any Flax model.

An interceptor of Flax's sees every call of every module. It stores what comes
out in the collection `intermediates`, where Flax's own tools store it too, and
adds a zero out of the collection `perturbations`: the loss's gradient with
respect to that zero is the gradient with respect to the output. Going through
collections, this works inside Flax's lifted transformations.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
from flax.core.scope import (
  CollectionFilter,
  Scope,
  subtract_filters,
  union_filters,
)
from jax.dtypes import float0

from bnjax.lab.probes.names import Patterns, select

# The name of our variables; nothing a model would call its own.
_KEY = "__probes__"
_OWN = ("intermediates", "perturbations")
_ROOT = "__call__"  # what Flax calls the output of the model itself

Arrays = dict[str, jax.Array]


class Captured(NamedTuple):
  """What one pass through a model showed.

  Attributes:
    output: the model's.
    loss: of the output; None without a loss function.
    outputs: layer -> what it returned.
    output_gradients: layer -> the loss's gradient with respect to that; {}
      without a loss function.
    parameters: "module/name" -> parameter.
    gradients: "module/name" -> the loss's gradient with respect to it; {}
      without a loss function.
  """

  output: Any
  loss: jax.Array | None
  outputs: Arrays
  output_gradients: Arrays
  parameters: Arrays
  gradients: Arrays


def capture(
  model: nn.Module,
  variables: Mapping[str, Any],
  *args: Any,
  layers: Patterns = "*",
  loss_fn: Callable[[Any], jax.Array] | None = None,
  mutable: CollectionFilter = True,
  rngs: Any = None,
  **kwargs: Any,
) -> Captured:
  """Returns what the layers of any Flax model return, and all gradients.

  One forward pass, and with `loss_fn` one backward pass; the model is traced
  once more, without computing, to know the shapes. Pure: the updates of
  `batch_stats` and other state are thrown away. Works under `jit` (`model` and
  `layers` static, what is not used is not computed), `vmap` and `grad`.

  A layer is a module that was called. Its name is its path, "block_0/dense_1";
  that of the model itself is "__call__", the second call of a module is
  "dense_1#1", and the parts of an output that is not one array are "rnn.0" and
  "rnn.1". Layers inside `nn.scan` or `nn.vmap` are seen where that lists
  `intermediates` (and for gradients `perturbations`) in its `variable_axes`.

  Args:
    model: its `__call__` (or the `method` among `kwargs`) is applied.
    variables: `params` and other collections, as for `model.apply`.
    *args: of the model.
    layers: pattern or patterns of the layers to return.
    loss_fn: maps the model's output to a scalar.
    mutable: collections that the model may update in the pass; True: all but
      `params`, which never are.
    rngs: as for `model.apply`: with the same keys, dropout drops the same.
    **kwargs: of the model.

  Returns:
    Captured, with layers in natural order.

  Raises:
    UserError: a pattern matches no layer.

  Example:
    >>> model = nn.Sequential([nn.Dense(2), nn.relu])
    >>> variables = {"params": {"layers_0": {"kernel": jnp.eye(2) * 3,
    ...                                      "bias": jnp.zeros(2)}}}
    >>> x = jnp.array([[1.0, -1.0]])
    >>> loss_fn = lambda y: jnp.sum(y**2)
    >>> seen = capture(model, variables, x, layers="layers_*", loss_fn=loss_fn)
    >>> seen.outputs
    {'layers_0': Array([[ 3., -3.]], dtype=float32)}
    >>> seen.output_gradients
    {'layers_0': Array([[6., 0.]], dtype=float32)}
    >>> seen.gradients["layers_0/bias"]
    Array([6., 0.], dtype=float32)
  """
  state = {k: v for k, v in variables.items() if k not in ("params", *_OWN)}
  params = variables.get("params", {})
  may_change = subtract_filters(union_filters(mutable, _OWN), "params")

  def apply(params: Any, zeros: Any) -> tuple[Any, Any]:
    collections = {**state, "params": params}
    if zeros is not None:
      collections["perturbations"] = zeros
    with nn.intercept_methods(_observer()):
      return model.apply(
        collections, *args, rngs=rngs, mutable=may_change, **kwargs
      )

  parameters = flatten(params)
  if loss_fn is None:
    output, seen = apply(params, None)
    outputs = dict(_stored(seen.get("intermediates", {})))
    names = select("layers", layers, outputs)
    outputs = {name: outputs[name] for name in names}
    return Captured(output, None, outputs, {}, parameters, {})

  _, shapes = jax.eval_shape(lambda: apply(params, None))
  there = dict(_stored(shapes.get("intermediates", {})))
  names = select("layers", layers, there)
  zeros = jax.tree.map(
    lambda x: jnp.zeros(x.shape, x.dtype), shapes.get("perturbations", {})
  )

  def loss_of(params: Any, zeros: Any) -> tuple[jax.Array, Any]:
    output, seen = apply(params, zeros)
    return loss_fn(output), (output, seen.get("intermediates", {}))

  (loss, (output, seen)), (gradients, output_gradients) = jax.value_and_grad(
    loss_of, argnums=(0, 1), has_aux=True, allow_int=True
  )(params, zeros)
  outputs, found = dict(_stored(seen)), dict(_stored(output_gradients))
  return Captured(
    output,
    loss,
    {name: outputs[name] for name in names},
    {name: found[name] for name in names if name in found},
    parameters,
    {k: g for k, g in flatten(gradients).items() if g.dtype != float0},
  )


def _observer() -> Callable[..., Any]:
  """Returns an interceptor that stores and perturbs what modules return."""
  active: list[Any] = []

  def observe(
    call: Callable[..., Any],
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    context: nn.module.InterceptorContext,
  ) -> Any:
    scope = context.module.scope
    # A module's call may call itself: by super(), or inside nn.remat.
    if (
      context.method_name != "__call__"
      or scope is None
      or scope.path in active
      or not scope.is_mutable_collection("intermediates")
    ):
      return call(*args, **kwargs)
    active.append(scope.path)
    try:
      return _store(scope, call(*args, **kwargs))
    finally:
      active.pop()

  return observe


def _store(scope: Scope, y: Any) -> Any:
  """Appends `y` to what this module returned before; returns it perturbed."""
  paths, structure = jax.tree_util.tree_flatten_with_path(y)
  names = [_suffix(path) for path, _ in paths]
  leaves = [leaf for _, leaf in paths]
  before = scope.get_variable("intermediates", _KEY, ())
  zeros = scope.get_variable("perturbations", _KEY, ())
  if len(before) < len(zeros):
    given = zeros[len(before)]
    pairs = zip(names, leaves, strict=True)
    leaves = [x + given[name] if name in given else x for name, x in pairs]
  elif scope.is_mutable_collection("perturbations"):
    pairs = zip(names, leaves, strict=True)
    new = {name: jnp.zeros_like(x) for name, x in pairs if _is(x, "inexact")}
    scope.put_variable("perturbations", _KEY, (*zeros, new))
  pairs = zip(names, leaves, strict=True)
  numbers = {name: x for name, x in pairs if _is(x, "number", "bool_")}
  scope.put_variable("intermediates", _KEY, (*before, numbers))
  return jax.tree.unflatten(structure, leaves)


def _suffix(path: Any) -> str:
  """Returns "" for an output that is one array, ".1" for part 1 of others."""
  parts = jax.tree_util.keystr(path, simple=True, separator=".")
  return f".{parts}" if path else ""


def _is(x: Any, *kinds: str) -> bool:
  dtype = getattr(x, "dtype", None)
  return dtype is not None and any(
    jnp.issubdtype(dtype, getattr(jnp, kind)) for kind in kinds
  )


def _stored(
  collection: Mapping[str, Any], path: tuple[str, ...] = ()
) -> Iterator[tuple[str, Any]]:
  """Yields the names and values of the layers in one of our collections."""
  for key, value in collection.items():
    if key == _KEY:
      for number, parts in enumerate(value):
        name = _name(path, number)
        yield from ((name + suffix, leaf) for suffix, leaf in parts.items())
    elif isinstance(value, Mapping):
      yield from _stored(value, (*path, key))


def _name(path: tuple[str, ...], number: int) -> str:
  return ("/".join(path) or _ROOT) + (f"#{number}" if number else "")


def flatten(tree: Any) -> Arrays:
  """Returns a tree's arrays by their paths: "dense_3/kernel"."""
  tree = nn.meta.unbox(tree)
  leaves = jax.tree_util.tree_flatten_with_path(tree)[0]
  keystr = jax.tree_util.keystr
  return {keystr(path, simple=True, separator="/"): x for path, x in leaves}
