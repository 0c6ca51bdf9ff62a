"""Fields of a config by dotted name, and their values from text."""

import ast
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from bnjax.lab import registry
from bnjax.lab.config.groups import GROUPS, check_field, entry
from bnjax.lab.config.resolve import switched
from bnjax.lab.errors import UserError, choice
from bnjax.lab.registry import kind_of


class Field(NamedTuple):
  """What is known of a field."""

  # the type of its values; None if only what the group names knows
  kind: type | None
  now: str = ""  # its value or default, for messages
  optional: bool = False  # whether it may be None, too


_HOLDS = {
  bool: "true or false",
  int: "whole numbers",
  float: "numbers",
  tuple: "lists, such as '(1, 2)'",
}


def lookup(config: Mapping[str, Any], field: str, of: str = "") -> Field:
  """What a dotted field holds, be it set or not.

  Args:
    config: has the field.
    field: of the config, or `arms.NAME.` and one that the arm may set.
    of: what stands before the field in messages.

  Raises:
    UserError: there is no such field, or it is a group of fields.
  """
  value: Any = config
  path = field.split(".")
  if path[0] == "arms" and len(path) > 2:
    arm = choice(f"{of}arms.{path[1]}", path[1], config["arms"])
    whole = {**merged(config, config["arms"][arm]), "arms": {}}
    return lookup(whole, ".".join(path[2:]), f"{of}arms.{arm}.")
  for depth, key in enumerate(path):
    name = of + ".".join(path[: depth + 1])
    if not isinstance(value, Mapping):
      raise UserError(f"{name}: {'.'.join(path[:depth])} has no fields")
    if key not in value and depth == 1 == len(path) - 1 and path[0] in GROUPS:
      return _unset(config, path[0], key, name)
    if key not in value and depth and path[0] in ("grid", "probes"):
      return Field(None)  # names of the experiment's own
    check_field(name, key, value)
    value = value[key]
  if isinstance(value, Mapping):
    raise UserError(
      f"{of}{field}: is a group of fields; set one of them: "
      f"{', '.join(sorted(map(str, value))) or 'there is none'}"
    )
  if value is None or path[0] in ("grid", "probes"):
    return Field(None, repr(value))
  return Field(type(value), repr(value))


def convert(field: str, text: str, known: Field) -> Any:
  """A value from text, of the type that the field holds.

  Raises:
    UserError: it is none of that type.
  """
  text = text.strip()
  kind = known.kind
  if known.optional and text in ("None", "none"):
    return None
  if kind is None:
    return _literal(text)
  try:
    if kind is bool:
      return {"true": True, "false": False}[text.lower()]
    if kind is int:
      return int(text)
    if kind is float:
      return float(text)
    if kind is tuple:
      value = _literal(text)
      if not isinstance(value, tuple | list):
        raise ValueError
      return tuple(value)
  except (KeyError, ValueError):
    now = f" (now {known.now})" if known.now else ""
    raise UserError(
      f"{field}: {text!r} cannot be its value; it holds {_HOLDS[kind]}{now}"
    ) from None
  return text


def merged(
  config: Mapping[str, Any], overrides: Mapping[str, Any]
) -> dict[str, Any]:
  """The config with what overrides it, all of a group at once, unchecked."""
  found = dict(config)
  for key, value in overrides.items():
    old = config.get(key)
    if not isinstance(value, dict) or not isinstance(old, dict):
      found[key] = value
    elif key in GROUPS:
      found[key] = switched(key, old, value)
    else:
      found[key] = merged(old, value)
  return found


def _unset(
  config: Mapping[str, Any], group: str, argument: str, field: str
) -> Field:
  """An argument that the config does not set: what takes it knows its type."""
  own, given = _named(config, group), GROUPS[group].given
  for takes in (*own, *GROUPS[group].table.values()):
    found = registry.parameters(takes, given).get(argument)
    if found is not None:
      kind, optional = kind_of(found.annotation, found.default)
      return Field(
        kind,
        "" if found.default is found.empty else repr(found.default),
        optional,
      )
  if not any(registry.takes(e)(argument) for e in own):
    known = {a for e in own for a in registry.parameters(e, given)}
    choice(field, argument, {"name", *known})
  return Field(None)


def _named(config: Mapping[str, Any], group: str) -> list[Callable[..., Any]]:
  """What the config and its arms name."""
  named = [config[group]["name"]]
  for arm in (config.get("arms") or {}).values():
    named.append((arm.get(group) or {}).get("name", named[0]))
  return [entry(group, name) for name in dict.fromkeys(named)]


def _literal(text: str) -> Any:
  try:
    return ast.literal_eval(
      text.capitalize() if text in ("true", "false") else text
    )
  except (SyntaxError, ValueError, TypeError, RecursionError, MemoryError):
    return text
