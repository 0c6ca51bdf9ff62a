"""Runs probes on a model."""

import functools
from collections.abc import Callable, Collection, Mapping
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from bnjax.lab.errors import UserError, choice
from bnjax.lab.probes.capture import Arrays, Captured, capture, flatten
from bnjax.lab.probes.classifier import Classifier
from bnjax.lab.probes.drift import Pair
from bnjax.lab.probes.landscape import along_direction
from bnjax.lab.probes.modes import Modes
from bnjax.lab.probes.names import select
from bnjax.lab.probes.probe import KINDS, Probe
from bnjax.lab.probes.shift import gradient_shifts, order_of
from bnjax.lab.probes.whole import OF_KIND, Landscape

# Probe name -> layer name -> array or NamedTuple of arrays.
Results = dict[str, dict[str, Any]]
_ALONG = "output along the update"
_NEEDS = {
  "output_gradient": "a loss_fn",
  "gradient": "a loss_fn",
  "update": "a loss_fn and an update_fn",
  "drift": "a loss_fn and an update_fn",
  "shift": "a loss_fn and an update_fn",
  "loss": "a loss_fn",
  _ALONG: "a loss_fn and an update_fn",
}
_UPDATED = {"update", "drift", "shift", _ALONG}
_NEW = "drift with new noise"


def run_probes(
  probes: Collection[Probe],
  model: nn.Module,
  variables: Mapping[str, Any],
  x: jax.Array,
  *,
  loss_fn: Callable[[Any], jax.Array] | None = None,
  update_fn: Callable[[Any], Any] | None = None,
  classifier: Classifier | None = None,
  train: bool | None = None,
  rngs: Any = None,
  **kwargs: Any,
) -> Results:
  """Returns what the probes measure, in one pass through the model.

  Those of what an update does, and of the loss as a function, take further
  passes: of a drift or of modes one, of a shift one for each layer, along the
  gradient one for each step and along the update for each share of it, and for
  eigenvalues two for each product with the Hessian.

  Pure and traceable: its state is left as it is, the structure of the results
  depends on shapes only, `vmap` over variables measures many networks.

  Args:
    probes: see `make_probes`.
    model: any Flax linen module.
    variables: of one network.
    x: examples, the model's first argument.
    loss_fn: maps the model's output to a scalar; for probes of gradients.
    update_fn: maps the gradient of the parameters, a tree like `params`, to
      what the optimizer would add to them; for probes of updates.
    classifier: the network with labelled examples; for probes of that.
    train: passed on to the model as `train` unless None; to see it in
      training and in inference it has to be True.
    rngs: as for `model.apply`.
    **kwargs: further arguments of the model.

  Returns:
    Probe name -> name of layer or parameter -> result of the measure.

  Raises:
    UserError: a pattern matches no layer, a unit is out of range, or the
      function for a gradient or update is missing.

  Example:
    >>> from bnjax.lab.probes import make_probes
    >>> probes = make_probes({
    ...   "dead": {"measure": "dead_units", "layers": "__call__"},
    ...   "gradients": {"measure": "norm", "of": "gradient",
    ...                 "layers": "*kernel"},
    ... })
    >>> kernel = jnp.array([[1.0, -1.0]])
    >>> model = nn.Dense(2, use_bias=False)
    >>> run_probes(
    ...   probes,
    ...   model,
    ...   {"params": {"kernel": kernel}},
    ...   jnp.array([[1.0], [2.0]]),
    ...   loss_fn=jnp.sum,
    ... )
    {'dead': {'__call__': Array(0.5, dtype=float32)},
     'gradients': {'kernel': Array(4.2426405, dtype=float32)}}
  """
  kinds = {_ALONG if probe.update_shares else probe.of for probe in probes}
  for kind in sorted(kinds & set(_NEEDS)):
    if loss_fn is None or (kind in _UPDATED and update_fn is None):
      raise UserError(f"probes: one is of {kind!r}, which needs {_NEEDS[kind]}")
  if "classifier" in kinds and classifier is None:
    raise UserError("probes: one is of 'classifier', which needs one")
  if "modes" in kinds and not train:
    raise UserError("probes: one is of 'modes', which needs train=True")
  given = _given(kwargs, train=train)
  seen = capture(
    model,
    variables,
    x,
    loss_fn=loss_fn if kinds & set(_NEEDS) else None,
    rngs=rngs,
    **given,
  )
  values: dict[str, dict[str, Any]] = dict(_by_kind(seen))
  params = variables.get("params", {})
  if update_fn is not None and kinds & _UPDATED:
    update = update_fn(_gradient(params, seen))
    values["update"] = flatten(update)
  selected = _select(probes, {**values, **_stand_ins(values)})
  again = functools.partial(_apply, model, variables, x, given, rngs)
  values["classifier"] = {"classifier": classifier}
  if loss_fn is not None and kinds & set(OF_KIND):
    landscape = Landscape(
      lambda params: again(params)[0], loss_fn, params, jax.random.key(0)
    )
    values["loss"] = {"loss": landscape}
  if update_fn is not None and kinds & {"drift", "shift"}:
    updated = jax.tree.map(lambda p, u: p + u.astype(p.dtype), params, update)
  for probe_of, noise in _drifts(probes, rngs).items():
    after = _apply(model, variables, x, given, noise, updated)[1]
    pairs = seen.outputs.items()
    values[probe_of] = {name: Pair(x, after[name]) for name, x in pairs}
  if "modes" in kinds:
    outputs = _apply(model, variables, x, {**given, "train": False}, rngs)[1]
    pairs = seen.outputs.items()
    values["modes"] = {
      name: Modes(x, outputs[name]) for name, x in pairs if name in outputs
    }
  if "shift" in kinds:
    of_shift = [probe.name for probe in probes if probe.of == "shift"]
    names = {name for probe in of_shift for name in selected[probe]}
    order = order_of(model, variables, x, rngs=rngs, **given)
    values["shift"] = gradient_shifts(
      landscape.loss_of, params, updated, order, sorted(names)
    )

  def measured(
    probe: Probe, values: Mapping[str, dict[str, Any]] = values
  ) -> dict[str, Any]:
    names = selected[probe.name]
    return {name: _measure(probe, name, values) for name in names}

  def along_update(probe: Probe) -> dict[str, Any]:
    at = lambda params: measured(probe, {"output": again(params)[1]})
    shares = jnp.asarray(probe.update_shares)
    return along_direction(at, params, update, shares)

  return {
    probe.name: (along_update if probe.update_shares else measured)(probe)
    for probe in probes
  }


def _drifts(probes: Collection[Probe], rngs: Any) -> dict[str, Any]:
  """Returns the kinds of drift that are looked at, and the noise of each."""
  anew = {probe.new_noise for probe in probes if probe.of == "drift"}
  fold = functools.partial(jax.random.fold_in, data=1)
  return {
    _NEW if new else "drift": jax.tree.map(fold, rngs) if new else rngs
    for new in sorted(anew)
  }


def _given(kwargs: dict[str, Any], **optional: Any) -> dict[str, Any]:
  """Returns the arguments of the model: those of bnjax only where given."""
  given = {name: x for name, x in optional.items() if x is not None}
  return {**kwargs, **given}


def _apply(
  model: nn.Module,
  variables: Mapping[str, Any],
  x: jax.Array,
  kwargs: dict[str, Any],
  rngs: Any,
  params: Any = None,
) -> tuple[Any, Arrays]:
  """Returns output and layers' outputs, perhaps with other parameters."""
  own = variables if params is None else {**variables, "params": params}
  seen = capture(model, own, x, rngs=rngs, **kwargs)
  return seen.output, seen.outputs


def _stand_ins(values: Mapping[str, Arrays]) -> dict[str, Arrays]:
  """Returns arrays with the names of what is measured of no array."""
  real = lambda x: jnp.issubdtype(x.dtype, jnp.floating)
  return {
    "drift": {k: x for k, x in values["output"].items() if real(x)},
    "modes": {k: x for k, x in values["output"].items() if real(x)},
    "shift": {k: x for k, x in values["parameter"].items() if real(x)},
    "loss": {"loss": jnp.zeros(())},
    "classifier": {"classifier": jnp.zeros(())},
  }


def _by_kind(seen: Captured) -> dict[str, Arrays]:
  return {
    "output": seen.outputs,
    "output_gradient": seen.output_gradients,
    "parameter": seen.parameters,
    "gradient": seen.gradients,
  }


def _gradient(params: Any, seen: Captured) -> Any:
  """Returns the gradient as a tree like `params`; 0 for integers."""
  leaves = [
    seen.gradients[name] if name in seen.gradients else jnp.zeros_like(value)
    for name, value in flatten(params).items()
  ]
  return jax.tree.unflatten(jax.tree.structure(params), leaves)


def _select(
  probes: Collection[Probe], values: Mapping[str, Arrays]
) -> dict[str, list[str]]:
  """Returns the names each probe measures, of arrays or of their shapes."""
  selected = {}
  for probe in probes:
    field, arrays = f"probes.{probe.name}", values[probe.of]
    names = select(f"{field}.layers", probe.layers, arrays)
    for name in names:
      _check_fit(field, probe, name, arrays[name])
      if isinstance(probe.relative, str):
        choice(f"{field}.relative", probe.base_of(name), arrays)
    selected[probe.name] = names
  return selected


def _measure(probe: Probe, name: str, values: Mapping[str, Arrays]) -> Any:
  of = _NEW if probe.new_noise else probe.of
  result = probe(values[of][name])
  base = KINDS[probe.of]
  if isinstance(probe.relative, str):
    return result / probe(values[of][probe.base_of(name)])
  if probe.relative and base is not None:
    return result / probe(values[base][name])
  return result


def _check_fit(field: str, probe: Probe, name: str, x: jax.Array) -> None:
  units = x.shape[-1] if x.ndim else 0
  if probe.unit is not None and probe.unit >= units:
    raise UserError(
      f"{field}.unit: {probe.unit} is not in {name!r}, which has "
      + (f"units 0 to {units - 1}" if units else "none")
    )
