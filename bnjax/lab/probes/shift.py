"""How a layer's gradient changes when the layers before it are updated.

Internal covariate shift as Santurkar et al. (2018) define it.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp

from bnjax.lab.probes.capture import flatten
from bnjax.lab.probes.landscape import LossFn, compared


class Shift(NamedTuple):
  """What the update of earlier layers does to a gradient.

  Attributes:
    change: ||G' - G|| / ||G||.
    cosine: of the angle between G and G'.
  """

  change: jax.Array
  cosine: jax.Array


def gradient_shifts(
  loss_fn: LossFn,
  params: Any,
  updated: Any,
  order: Mapping[str, int],
  names: Sequence[str],
) -> dict[str, Shift]:
  """Returns the shift of the gradient with respect to some parameters.

  G is the gradient at `params`, and G' the same, of the same batch and noise,
  where the layers before have their updated parameters already, and the layer
  itself and those after it have not. One gradient for each name, one after
  another, in a program no larger for more of them.

  Args:
    loss_fn: parameters -> scalar; with the same batch and noise in each call.
    params: a tree of real arrays.
    updated: the same after a step.
    order: "layer/kernel" -> the place of its layer, as `order_of` gives them.
    names: of the parameters whose gradients are compared.

  Reference:
    Santurkar et al. (2018), arXiv:1805.11604, definition 2.1.

  Example:
    >>> loss = lambda w: w["a"] * w["b"] ** 2
    >>> params = {"a": jnp.array(1.0), "b": jnp.array(1.0)}
    >>> updated = {"a": jnp.array(1.5), "b": jnp.array(9.0)}
    >>> gradient_shifts(loss, params, updated, {"a": 0, "b": 1}, ["a", "b"])
    {'a': Shift(change=Array(0., dtype=float32),
                cosine=Array(1., dtype=float32)),
     'b': Shift(change=Array(0.5, dtype=float32),
                cosine=Array(1., dtype=float32))}
  """
  if not names:
    return {}
  structure = jax.tree.structure(params)
  old, new = flatten(params), flatten(updated)
  gradient = flatten(jax.grad(loss_fn)(params))

  def shifts(place: jax.Array) -> dict[str, Shift]:
    leaves = [
      jnp.where(order[name] < place, new[name], old[name]) for name in old
    ]
    other = flatten(jax.grad(loss_fn)(jax.tree.unflatten(structure, leaves)))
    return {
      name: Shift(*compared(gradient[name], other[name])) for name in names
    }

  places = sorted({order[name] for name in names})
  found = jax.lax.map(shifts, jnp.asarray(places))
  at = {name: places.index(order[name]) for name in names}
  return {name: Shift(*(x[at[name]] for x in found[name])) for name in names}


def order_of(
  model: nn.Module, variables: Any, *args: Any, rngs: Any = None, **kwargs: Any
) -> dict[str, int]:
  """Returns "layer/kernel" -> the place of its layer, in the order of calls.

  A layer is a module with parameters of its own; the place is that of its
  first call. The model is traced, not run.

  Args:
    model: any Flax linen module.
    variables: as for `model.apply`, or their shapes.
    *args: of the model.
    rngs: as for `model.apply`.
    **kwargs: of the model.

  Example:
    >>> model = nn.Sequential([nn.Dense(2), nn.Dense(1, use_bias=False)])
    >>> x = jnp.ones((1, 3))
    >>> order_of(model, model.init(jax.random.key(0), x), x)
    {'layers_0/bias': 0, 'layers_0/kernel': 0, 'layers_1/kernel': 1}
  """
  calls: list[str] = []

  def record(
    call: Any, args: Any, kwargs: Any, context: nn.module.InterceptorContext
  ) -> Any:
    if context.module.scope is not None:
      calls.append("/".join(map(str, context.module.scope.path)))
    return call(*args, **kwargs)

  def apply(variables: Any, args: Any) -> Any:
    with nn.intercept_methods(record):
      return model.apply(variables, *args, rngs=rngs, mutable=True, **kwargs)

  jax.eval_shape(apply, variables, args)
  first = {path: calls.index(path) for path in set(calls)}

  def called(path: str) -> int:
    while path not in first:  # Shared scopes: the module around it.
      path = path.rpartition("/")[0]
    return first[path]

  names = flatten(variables["params"])
  places = {name: called(name.rpartition("/")[0]) for name in names}
  found = sorted(set(places.values()))
  return {name: found.index(place) for name, place in places.items()}
