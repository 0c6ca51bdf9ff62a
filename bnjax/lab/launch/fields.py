"""Fields of a config by dotted name, and their values from text."""

import ast
import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from bnjax.lab import registry
from bnjax.lab.config import GROUPS
from bnjax.lab.config.groups import entry
from bnjax.lab.errors import UserError, choice
from bnjax.lab.registry import kind_of


class Field(NamedTuple):
  """What is known of a field.

  Attributes:
    kind: the type of its values; None if only what the group names knows.
    now: its value or default, for messages.
    optional: whether it may be None, too.
  """

  kind: type | None
  now: str = ""
  optional: bool = False


_HOLDS = {bool: "true or false", int: "whole numbers", float: "numbers"}


def lookup(config: Mapping[str, Any], field: str) -> Field:
  """What a dotted field holds, be it set or not.

  Raises:
    UserError: there is no such field, or it is a group of fields.
  """
  value: Any = config
  path = field.split(".")
  for depth, key in enumerate(path):
    name = ".".join(path[: depth + 1])
    if not isinstance(value, Mapping):
      raise UserError(f"{name}: {'.'.join(path[:depth])} has no fields")
    if depth == 1 and len(path) == 2 and path[0] in GROUPS and key not in value:
      return _unset(config, path[0], key)
    value = value[choice(name, key, value)]
  if isinstance(value, Mapping):
    raise UserError(
      f"{field}: is a group of fields; sweep one of them: "
      f"{', '.join(sorted(map(str, value))) or 'there is none'}"
    )
  if value is None:
    return Field(None, "None")
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
      number = float(text)
      if not math.isfinite(number):
        raise ValueError
      return number
  except (KeyError, ValueError):
    now = f" (now {known.now})" if known.now else ""
    raise UserError(
      f"{field}: {text!r} cannot be its value; it holds {_HOLDS[kind]}{now}"
    ) from None
  if kind is not str:
    raise UserError(
      f"{field}: a value of type {kind.__name__} cannot be given on the "
      "command line; write a file with sweep(add)"
    )
  return text


def _unset(config: Mapping[str, Any], group: str, argument: str) -> Field:
  """An argument that the config does not set: what takes it knows its type."""
  entries = list(_entries(config, group))
  for takes in entries:
    found = registry.parameters(takes, GROUPS[group].given).get(argument)
    if found is not None:
      kind, optional = kind_of(found.annotation, found.default)
      return Field(
        kind,
        "" if found.default is found.empty else repr(found.default),
        optional,
      )
  known = {
    a for e in entries for a in registry.parameters(e, GROUPS[group].given)
  }
  if not any(registry.takes(e)(argument) for e in entries):
    choice(f"{group}.{argument}", argument, {"name", *known})
  return Field(None)


def _entries(
  config: Mapping[str, Any], group: str
) -> Iterator[Callable[..., Any]]:
  """What the config and its arms name, then all of the table."""
  named = [config[group]["name"]]
  for arm in (config.get("arms") or {}).values():
    named.append((arm.get(group) or {}).get("name", named[0]))
  for name in dict.fromkeys(named):
    yield entry(group, name)
  yield from GROUPS[group].table.values()


def _literal(text: str) -> Any:
  try:
    return ast.literal_eval(
      text.capitalize() if text in ("true", "false") else text
    )
  except (SyntaxError, ValueError):
    return text
