"""Fields of a config by dotted name, and their values from text."""

import math
from collections.abc import Mapping
from typing import Any

from bnjax.lab.errors import UserError, choice


def lookup(config: Mapping[str, Any], field: str) -> Any:
  """The value of a dotted field.

  Raises:
    UserError: there is no such field, or it is a group of fields.
  """
  value: Any = config
  path = field.split(".")
  for depth, key in enumerate(path):
    name = ".".join(path[: depth + 1])
    if not isinstance(value, Mapping):
      raise UserError(f"{name}: {'.'.join(path[:depth])} has no fields")
    value = value[choice(name, key, value)]
  if isinstance(value, Mapping):
    raise UserError(
      f"{field}: is a group of fields; sweep one of them: "
      f"{', '.join(sorted(map(str, value))) or 'there is none'}"
    )
  return value


def convert(field: str, text: str, old: Any) -> Any:
  """A value from text, of the type that the field holds.

  Raises:
    UserError: it is none of that type.
  """
  text = text.strip()
  wanted = type(old)
  try:
    if wanted is bool:
      return {"true": True, "false": False}[text.lower()]
    if wanted is int:
      return int(text)
    if wanted is float:
      number = float(text)
      if not math.isfinite(number):
        raise ValueError
      return number
  except (KeyError, ValueError):
    kind = {bool: "true or false", int: "whole numbers", float: "numbers"}
    raise UserError(
      f"{field}: {text!r} cannot be its value; it holds {kind[wanted]} "
      f"(now {old!r})"
    ) from None
  if not isinstance(old, str):
    raise UserError(
      f"{field}: a value of type {wanted.__name__} cannot be given on the "
      "command line; write a file with sweep(add)"
    )
  return text
