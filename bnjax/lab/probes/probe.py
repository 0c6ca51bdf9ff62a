"""A probe: which measure of what, at which layers; made from a config."""

import dataclasses
import functools
from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Any

import jax
import jax.numpy as jnp

from bnjax.lab import registry
from bnjax.lab.errors import UserError, choice
from bnjax.lab.probes.classifier import Classifier
from bnjax.lab.probes.drift import Pair
from bnjax.lab.probes.measures import MEASURES
from bnjax.lab.probes.modes import Modes
from bnjax.lab.probes.shift import Shift
from bnjax.lab.probes.whole import OF_KIND, Landscape

# What is measured -> what it is compared with if it is `relative`.
KINDS = {
  "output": None,
  "output_gradient": "output",
  "parameter": None,
  "gradient": "parameter",
  "update": "parameter",
  "drift": None,
  "modes": None,
  "shift": None,
  "loss": None,
  "classifier": None,
}
# Measures of no array -> what they are of.
_OF = {name: kind for kind, named in OF_KIND.items() for name in named}


@dataclasses.dataclass(frozen=True)
class Probe:
  """One measure of several layers or parameters; hashable.

  Attributes:
    name: of the probe.
    measure: a name in `MEASURES`, or "package.module:function".
    of: "output" of a layer, "output_gradient" (the loss's gradient with respect
      to it), "parameter", "gradient" (with respect to it), or "update" (what
      the optimizer adds to it). Or, by measures of `whole`, which know it:
      "drift" of a layer's output, the next one's input, by one update; "modes"
      of a layer's output, in training and in inference; "shift" of a
      parameter's gradient by the update of the layers before; "loss", as a
      function of all parameters; "classifier", the network with labelled
      examples. The layer of these two has their name.
    layers: patterns of the names of layers ("activation_*", "*/dense_1"); of
      parameters ("dense_3/kernel") where it is of parameters.
    unit: measure this feature alone (index on the last axis); None: all.
    per_feature: measure each feature by itself; the features are then the last
      axis of what comes back.
    relative: divide by the same measure of the output (for its gradient) or of
      the parameter (for its gradient and update). Or the name of another layer
      or parameter, to divide by the same measure of that: "skip_*", where `*`
      is what it is in `layers`, "branch_*".
    new_noise: after the update the model draws its noise anew, as the next
      training step does; of a drift alone. Else both have the same.
    update_shares: measure an output at the parameters moved by each of these
      shares of what the optimizer adds to them: (0, 0.5, 1) is before, half way
      and after; what comes back has one more axis, the first.
    arguments: of the measure, as pairs.
  """

  name: str
  measure: str
  of: str = "output"
  layers: tuple[str, ...] = ("*",)
  unit: int | None = None
  per_feature: bool = False
  relative: bool | str = False
  new_noise: bool = False
  update_shares: tuple[float, ...] = ()
  arguments: tuple[tuple[str, Any], ...] = ()

  def __call__(self, x: Any) -> Any:
    """Measures an array `[..., features]`, or what else it is of."""
    if self.unit is not None:
      unit = slice(self.unit, self.unit + 1)
      x = jax.tree.map(lambda x: x[..., unit], x)
    measure = registry.lookup("measure", self.measure, MEASURES)
    measure = functools.partial(measure, **dict(self.arguments))
    if self.per_feature:
      return jax.vmap(measure, in_axes=-1, out_axes=-1)(x)
    return measure(x)

  def base_of(self, name: str) -> str:
    """The layer that a layer is measured relative to, of a name `relative`."""
    for pattern in self.layers:
      before, star, after = pattern.partition("*")
      if star and fnmatchcase(name, pattern):
        part = name[len(before) : len(name) - len(after)]
        return str(self.relative).replace("*", part)
    return str(self.relative)


_FIELDS = tuple(
  field.name
  for field in dataclasses.fields(Probe)
  if field.name not in ("name", "arguments")
)


def make_probes(group: Mapping[str, Mapping[str, Any]]) -> tuple[Probe, ...]:
  """Returns the probes that a config's `probes` describe.

  Args:
    group: probe name -> `measure`, and where wanted `of`, `layers` (a pattern
      or a list of patterns), `unit`, `per_feature`, `relative`, `new_noise`,
      `update_shares`, as in `Probe`, and arguments of the measure by name.

  Raises:
    UserError: an unknown field, measure or kind, or a value that cannot be.

  Example:
    >>> (probe,) = make_probes({
    ...   "middle": {"measure": "percentiles", "q": [15, 50, 85], "unit": 3,
    ...              "layers": "preactivation_*"},
    ... })
    >>> probe(jnp.arange(8.0).reshape(2, 4))
    Array([3.6, 5. , 6.4], dtype=float32)
  """
  return tuple(_make(f"probes.{name}", name, group[name]) for name in group)


def filled(group: Mapping[str, Any]) -> dict[str, Any]:
  """All fields of a probe: of those that a config does not set, the default.

  Raises:
    UserError: it has no measure, or one that there is not.

  >>> filled({"measure": "zero_fraction", "unit": 3})["threshold"]
  0.0
  """
  name = group.get("measure")
  _, *takes = registry.parameters(
    registry.lookup("measure", name, MEASURES)
  ).values()
  fields = {
    field.name: field.default
    for field in dataclasses.fields(Probe)
    if field.name in _FIELDS and field.name != "measure"
  }
  fields["of"] = _OF.get(str(name), "output")
  arguments = {
    parameter.name: parameter.default
    for parameter in takes
    if registry.is_plain(parameter.default)
  }
  return {**fields, **arguments, **group}


def _make(field: str, name: str, group: Mapping[str, Any]) -> Probe:
  given = {key: _frozen(group[key]) for key in group}
  if "measure" not in given:
    raise UserError(f"{field}.measure: missing; one of {', '.join(MEASURES)}")
  name_of_measure = given["measure"]
  measure = registry.lookup(f"{field}.measure", name_of_measure, MEASURES)
  _, *takes = registry.parameters(measure)  # the array is the first
  for key in given:
    choice(f"{field}.{key}", key, (*_FIELDS, *takes))
  layers = given.get("layers", "*")
  layers = (layers,) if isinstance(layers, str) else layers
  if (
    not isinstance(layers, tuple)
    or not layers
    or not all(isinstance(pattern, str) for pattern in layers)
  ):
    raise UserError(
      f"{field}.layers: {group['layers']!r} is not a pattern or a list of them"
    )
  kind = _OF.get(name_of_measure, "output")
  of = choice(f"{field}.of", given.get("of", kind), KINDS)
  fits = _OF.get(name_of_measure, of) == of
  if not fits or (of in OF_KIND and name_of_measure in MEASURES.keys() - _OF):
    raise UserError(
      f"{field}.of: {name_of_measure} is not of {of!r}"
      + ("" if fits else f" but of {kind!r}")
    )
  probe = Probe(
    name=name,
    measure=name_of_measure,
    of=of,
    layers=layers,
    unit=given.get("unit"),
    per_feature=given.get("per_feature", False),
    relative=given.get("relative", False),
    new_noise=given.get("new_noise", False),
    update_shares=given.get("update_shares", ()),
    arguments=tuple((key, given[key]) for key in given if key in takes),
  )
  _check(field, probe)
  return probe


def _check(field: str, probe: Probe) -> None:
  """Traces the probe on an abstract array: its arguments fit, or an error."""
  unit = probe.unit
  if unit is not None and (type(unit) is not int or unit < 0):
    raise UserError(f"{field}.unit: {unit!r} is not a unit's index, 0 or more")
  for key in ("per_feature", "relative", "new_noise"):
    named = key == "relative" and isinstance(probe.relative, str)
    if type(getattr(probe, key)) is not bool and not named:
      other = ", or the name of a layer" * (key == "relative")
      raise UserError(
        f"{field}.{key}: {getattr(probe, key)!r} is not True or False{other}"
      )
  if probe.new_noise and probe.of != "drift":
    raise UserError(
      f"{field}.new_noise: of a drift alone, and this is of {probe.of!r}"
    )
  registry.check_value(
    f"{field}.update_shares", probe.update_shares, tuple[float, ...]
  )
  if probe.update_shares and probe.of != "output":
    raise UserError(
      f"{field}.update_shares: of an output alone, and this is of {probe.of!r}"
    )
  if probe.of in ("shift", "loss", "classifier") and (
    unit is not None or probe.per_feature
  ):
    which = "per_feature" if unit is None else "unit"
    raise UserError(f"{field}.{which}: a {probe.of} is not of units")
  try:
    result = jax.eval_shape(lambda: probe(_example(probe.of, unit or 0)))
  except UserError as error:
    raise UserError(f"{field}.{error}") from None
  except (TypeError, ValueError) as error:
    what = str(error).strip().split("\n")[0]
    raise UserError(f"{field}: {probe.measure} cannot be so: {what}") from None
  if probe.update_shares and isinstance(result, tuple):
    raise UserError(
      f"{field}.update_shares: of measures that are numbers or lists, and "
      f"{probe.measure} is none"
    )
  bare = KINDS[probe.of] is None and probe.relative is True
  whole = probe.of in ("shift", "loss")
  if probe.relative and (bare or whole or isinstance(result, tuple)):
    comparable = ", ".join(kind for kind in KINDS if KINDS[kind])
    raise UserError(
      f"{field}.relative: {probe.measure} of {probe.of} has nothing to be "
      f"relative to; numbers of {comparable} have"
    )


def _example(kind: str, unit: int) -> Any:
  """Something of the kind, to try a probe on."""
  x = jnp.ones((2, unit + 1))
  if kind == "drift":
    return Pair(x, x)
  if kind == "modes":
    return Modes(x, x)
  if kind == "shift":
    return Shift(x[0, 0], x[0, 0])
  if kind == "loss":
    # As many parameters as whatever is counted of them.
    many = jnp.ones((1, 10_000))
    return Landscape(lambda p: p, jnp.sum, many, jax.random.key(0))
  if kind == "classifier":
    first = lambda outputs, labels: outputs[labels[0], 0]
    labels, key = jnp.zeros(2, int), jax.random.key(0)
    return Classifier(lambda x, _: x, first, first, x, labels, None, None, key)
  return x


def _frozen(value: Any) -> Any:
  if isinstance(value, (list, tuple)):
    return tuple(_frozen(item) for item in value)
  return value
