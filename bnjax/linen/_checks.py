"""The fields of both modules, checked in every mode, also where not read."""

from typing import Any

from bnjax.ops import Rule, _arguments, ema
from bnjax.ops.rules import as_rule

_CHOICES: dict[str, tuple[str | None, ...]] = {
  "normalize_with": (None, "batch", "running"),
  "missing_axis": ("error", "ignore"),
  "activation": (None, "relu"),
}
_SWITCHES = {
  "update_running": (None, True, False),
  "train_affine": (True, False),
  "skip_nonfinite": (True, False),
}


def check(layer: Any, shape: tuple[int, ...] | None = None) -> None:
  """Raises TypeError or ValueError that names the field and its value.

  Args:
    layer: a module of either kind.
    shape: of its input, if that is known.
  """
  for name, allowed in _CHOICES.items():
    _arguments.choice(name, getattr(layer, name), allowed)
  for name, values in _SWITCHES.items():
    _arguments.switch(name, getattr(layer, name), values)
  _arguments.number("epsilon", layer.epsilon, least=0)
  _arguments.number(
    "momentum",
    layer.momentum,
    least=0,
    most=1,
    hint="It is the share of the old value: one minus PyTorch's momentum.",
  )
  rule_of(layer)
  _check_axis(layer.axis, None if shape is None else len(shape))
  if layer.groups is not None:
    what = "the number of ghost batches"
    if _arguments.count("groups", layer.groups, what) < 1:
      rows = "the" if shape is None else shape[0]
      raise ValueError(
        f"{layer.groups} groups do not divide {rows} examples: groups is "
        f"{what}."
      )


def rule_of(layer: Any) -> Rule:
  """Returns the layer's rule; Flax's, with its momentum, unless given."""
  return ema(layer.momentum) if layer.rule is None else as_rule(layer.rule)


def _check_axis(axis: Any, ndim: int | None) -> None:
  axes = _arguments.integers("axis", axis)
  if ndim is not None:
    if any(not -ndim <= a < ndim for a in axes):
      raise ValueError(f"axis {axis!r} is none of an x with {ndim} axes.")
    axes = tuple(a % ndim for a in axes)
  if len(set(axes)) < len(axes):
    raise ValueError(f"axis names an axis twice: {axis!r}.")
