"""From a config to its arms: each one a complete, checked specification.

Whoever sets a field, later ones win: the config, an arm, a point of a grid or
of a sweep. Who names another entry in a group than the one before starts from
that entry's defaults: what was set for the other does not carry over, unless
the new one has no default for it, as optimizers have none for the learning
rate. What nobody set is the entry's own default.
"""

from collections.abc import Mapping
from typing import Any

from bnjax.lab import registry
from bnjax.lab.config.declared import FIELDS
from bnjax.lab.config.groups import GROUPS, check_field, entry
from bnjax.lab.errors import UserError
from bnjax.lab.registry import check_value

# What describes the experiment as a whole and no single arm.
NOT_FOR_ARMS = ("arms", "grid", "interleave", "machine", "points")


def resolve_arms(config: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
  """The complete specification of every arm, at no point of the grid.

  Returns:
    Arm name -> the config's fields with the arm's in their place, each group
    of `GROUPS` its `name` and all arguments that this one takes.

  Raises:
    UserError: there is no arm; or as `resolve`.
  """
  if not config["arms"]:
    raise UserError("arms: there is none, so there is nothing to train")
  return {arm: resolve(config, arm) for arm in config["arms"]}


def resolve(
  config: Mapping[str, Any],
  arm: str,
  point: Mapping[str, Any] | None = None,
  *,
  source: str = "grid",
) -> dict[str, Any]:
  """The complete specification of an arm, at a point perhaps.

  Raises:
    UserError: a field does not exist or has another type, a name is not known,
      or what it names does not take an argument or lacks one.
  """
  spec = {k: v for k, v in config.items() if k not in NOT_FOR_ARMS}
  for group in GROUPS:
    spec[group] = _layered(group, group, {}, config[group])
  spec = override(f"arms.{arm}", spec, config["arms"][arm])
  if point:
    try:
      spec = override(source, spec, point)
    except UserError as error:
      raise UserError(f"{error} (arm {arm!r})") from None
  for group in GROUPS:
    arguments = dict(spec[group])
    name = arguments.pop("name")
    given = GROUPS[group].given
    filled = registry.filled(group, name, entry(group, name), arguments, given)
    spec[group] = {"name": name, **filled}
  return spec


def override(
  field: str,
  base: Mapping[str, Any],
  overrides: Mapping[str, Any],
  path: str = "",
) -> dict[str, Any]:
  """`base` with the overrides in place of its values, at any depth.

  Args:
    field: what the overrides are called in messages.
    base: nested dicts; its groups are names and what was set.
    overrides: some of its fields, nested likewise.
    path: of `base` in a config, with a dot behind it.

  Raises:
    UserError: a field that `base` has not, or a value of another type or out of
      its range.
  """
  merged = dict(base)
  for key, value in overrides.items():
    name = f"{field}.{key}" if field else key
    check_field(name, key, base)
    old = base[key]
    if isinstance(old, Mapping) != isinstance(value, Mapping):
      raise UserError(f"{name}: {value!r} cannot replace {old!r}")
    if key in GROUPS and isinstance(old, Mapping):
      merged[key] = _layered(name, key, old, value)
    elif isinstance(old, Mapping):
      merged[key] = override(name, old, value, f"{path}{key}.")
    else:
      kind = type(old) if old is not None else Any
      merged[key] = check_value(name, value, FIELDS.get(path + key, kind))
  return merged


def switched(
  group: str, old: Mapping[str, Any], new: Mapping[str, Any]
) -> dict[str, Any]:
  """A group with what is set anew; without the old if another is named."""
  kept = dict(old)
  if new.get("name", old.get("name")) != old.get("name"):
    takes = entry(group, new["name"])
    has_none = registry.required(takes, GROUPS[group].given)
    kept = {k: v for k, v in old.items() if k in has_none}
  return {**kept, **new}


def _layered(
  field: str, group: str, old: Mapping[str, Any], new: Mapping[str, Any]
) -> dict[str, Any]:
  """`switched`, where what is set anew is checked."""
  whole = switched(group, old, new) if old else dict(new)
  name: Any = whole.get("name")
  set_here = {k: v for k, v in new.items() if k != "name"}
  checked = registry.checked(
    field, name, entry(group, name), set_here, GROUPS[group].given
  )
  return {**whole, **checked}
