"""From a config to its arms: each one a complete, checked specification.

An arm is a name and the fields of the config that it sets otherwise. This
module merges and checks them; it builds nothing and touches no disk.
"""

from collections.abc import Collection, Mapping
from typing import Any

from bnjax.lab.build import TABLES
from bnjax.lab.errors import UserError, choice
from bnjax.lab.registry import accepted_arguments, select_arguments

# What describes the experiment as a whole and no single arm.
NOT_FOR_ARMS = (
  "arms",
  "grid",
  "interleave",
  "max_networks",
  "memory_gb",
)


def resolve_arms(
  config: Mapping[str, Any], explicit: Collection[str] = ()
) -> dict[str, dict[str, Any]]:
  """The complete specification of every arm.

  Args:
    config: the whole config as nested dicts.
    explicit: dotted names of the fields that the user set, such as
      `optimizer.momentum`: setting one that does not apply is an error.

  Returns:
    Arm name -> the config's fields with the arm's overrides in place, each
    group of `build.TABLES` reduced to its `name` and the arguments that
    this one takes.

  Raises:
    UserError: an arm sets a field that does not exist or has another type, or
      a name is not known.
  """
  arms = config["arms"]
  if not arms:
    raise UserError("arms: there is none, so there is nothing to train")
  base = {k: v for k, v in config.items() if k not in NOT_FOR_ARMS}
  return {
    name: _resolve(name, base, overrides, frozenset(explicit))
    for name, overrides in arms.items()
  }


def _resolve(
  arm: str,
  base: Mapping[str, Any],
  overrides: Mapping[str, Any],
  explicit: frozenset[str],
) -> dict[str, Any]:
  spec = override(f"arms.{arm}", base, overrides)
  for group, table in TABLES.items():
    known = {"name"}.union(*map(accepted_arguments, table.values()))
    for argument in spec[group]:
      choice(f"{group}.{argument}", argument, known)
    ours = overrides.get(group, {})
    set_here = set(ours)
    if "name" not in ours:  # what the user set is meant for the config's name
      prefix = group + "."
      set_here |= {f.removeprefix(prefix) for f in explicit if prefix in f}
    arguments = select_arguments(group, spec[group], table, frozenset(set_here))
    spec[group] = {"name": spec[group]["name"], **arguments}
  return spec


def override(
  field: str, base: Mapping[str, Any], overrides: Mapping[str, Any]
) -> dict[str, Any]:
  """`base` with the overrides in place of its values, at any depth.

  Args:
    field: what the overrides are called in messages.
    base: nested dicts.
    overrides: some of its fields, nested likewise.

  Raises:
    UserError: a field that `base` has not, or a value of another type.
  """
  merged = dict(base)
  for key, value in overrides.items():
    name = f"{field}.{key}"
    choice(name, key, base)
    old = base[key]
    if isinstance(old, Mapping) != isinstance(value, Mapping):
      raise UserError(f"{name}: {value!r} cannot replace {old!r}")
    if isinstance(old, Mapping):
      merged[key] = override(name, old, value)
    else:
      merged[key] = _same_type(name, old, value)
  return merged


def _same_type(field: str, old: Any, value: Any) -> Any:
  if isinstance(old, float) and type(value) is int:
    return float(value)
  if old is not None and type(value) is not type(old):
    raise UserError(
      f"{field}: {value!r} is of type {type(value).__name__}, but the field "
      f"holds {type(old).__name__} ({old!r})"
    )
  return value
