"""Frozen dataclasses whose fields are checked, and their form in JSON.

A class that derives from `Checked` has its fields checked against their
annotations as it is made. In JSON, fields that have their default are left out,
and a class that is one of several kinds says which under `kind`.
"""

import dataclasses
import types
import typing
from collections.abc import Mapping
from typing import Any, ClassVar, Literal, Self

from bnjax.lab.results.points import is_number

_NAMES = {str: "a text", bool: "True or False", int: "a whole number",
          float: "a number", type(None): "None"}  # fmt: skip


class Checked:
  """A dataclass whose fields are what their annotations say.

  Lists become tuples. `check` says what else has to be so.

  Raises:
    ValueError: a field is of another kind; the one-line message names it.
  """

  kind: ClassVar[str] = ""  # in JSON, where there are several

  def __post_init__(self) -> None:
    """Checks every field."""
    for name, hint in _hints(type(self)).items():
      path = f"{type(self).__name__}.{name}"
      value = _checked(path, getattr(self, name), hint)
      object.__setattr__(self, name, value)
    self.check()

  def check(self) -> None:
    """Raises ValueError where the fields do not fit each other."""

  def wrong(self, field: str, why: str) -> ValueError:
    """An error about a field, to be raised."""
    return ValueError(f"{type(self).__name__}.{field} {why}")

  def to_json(self) -> dict[str, Any]:
    """The fields that do not have their defaults, as JSON holds them."""
    own = {"kind": self.kind} if self.kind else {}
    for field in dataclasses.fields(typing.cast(Any, self)):
      value = getattr(self, field.name)
      if value != _default(field):
        own[field.name] = _to_json(value)
    return own

  @classmethod
  def from_json(cls, value: Any, path: str = "") -> Self:
    """The object that `to_json` gave; raises ValueError as the class does."""
    return typing.cast(Self, _from_json(path, value, cls))


def _hints(kind: type) -> dict[str, Any]:
  names = [field.name for field in dataclasses.fields(kind)]
  hints = typing.get_type_hints(kind)
  return {name: hints[name] for name in names}


def _default(field: "dataclasses.Field[Any]") -> Any:
  if field.default_factory is not dataclasses.MISSING:
    return field.default_factory()
  return field.default


def _checked(path: str, value: Any, hint: Any) -> Any:
  """The value, if it is what the annotation says; otherwise a ValueError."""
  origin, arguments = typing.get_origin(hint), typing.get_args(hint)
  if origin in (typing.Union, types.UnionType):
    for option in arguments:
      if _is(value, option):
        return _checked(path, value, option)
  elif origin is tuple and isinstance(value, list | tuple):
    return tuple(_checked(path, item, arguments[0]) for item in value)
  elif origin is Literal and value in arguments:
    return value
  elif origin is not None and _is_mapping(origin) and _is(value, hint):
    return {
      key: _checked(f"{path}[{key!r}]", item, arguments[1])
      for key, item in value.items()
    }
  elif origin is None and _is(value, hint):
    return value
  raise ValueError(f"{path} is {value!r}, but should be {_said(hint)}")


def _is(value: Any, hint: Any) -> bool:
  """Whether a value is of the outermost kind that an annotation says."""
  origin = typing.get_origin(hint)
  if hint is Any:
    return True
  if origin is tuple:
    return isinstance(value, list | tuple)
  if origin is not None and _is_mapping(origin):
    return isinstance(value, Mapping) and all(isinstance(k, str) for k in value)
  if hint is float:
    return is_number(value)
  if hint is int:
    return isinstance(value, int) and not isinstance(value, bool)
  return isinstance(value, hint)


def _is_mapping(origin: Any) -> bool:
  return isinstance(origin, type) and issubclass(origin, Mapping)


def _said(hint: Any) -> str:
  """An annotation in words."""
  origin, arguments = typing.get_origin(hint), typing.get_args(hint)
  if origin in (typing.Union, types.UnionType):
    return " or ".join(map(_said, arguments))
  if origin is tuple:
    return f"a list, each of it {_said(arguments[0])}"
  if origin is Literal:
    return f"one of {', '.join(map(str, arguments))}"
  if origin is not None:
    return f"a mapping of names, each to {_said(arguments[1])}"
  return _NAMES.get(hint, f"a {hint.__name__}")


def _to_json(value: Any) -> Any:
  if isinstance(value, Checked):
    return value.to_json()
  if isinstance(value, Mapping):
    return {key: _to_json(item) for key, item in value.items()}
  return [_to_json(v) for v in value] if isinstance(value, tuple) else value


def _from_json(path: str, value: Any, hint: Any) -> Any:
  """A value of JSON as an annotation says; checks the fields of objects."""
  origin, arguments = typing.get_origin(hint), typing.get_args(hint)
  kinds = _kinds(hint)
  if kinds:
    return _object(path, value, kinds)
  if origin is tuple and isinstance(value, list):
    return [
      _from_json(f"{path}[{place}]", item, arguments[0])
      for place, item in enumerate(value)
    ]
  if origin is not None and _is_mapping(origin) and isinstance(value, dict):
    return {
      key: _from_json(_join(path, key), item, arguments[1])
      for key, item in value.items()
    }
  return value


def _kinds(hint: Any) -> dict[str, type]:
  """The classes that an annotation allows, by their kind; {} if it is plain."""
  several = typing.get_origin(hint) in (typing.Union, types.UnionType)
  options = typing.get_args(hint) if several else (hint,)
  found: dict[str, type] = {}
  for option in options:
    if isinstance(option, type) and issubclass(option, Checked):
      below = [option, *option.__subclasses__()]
      found |= {own.kind: own for own in below if own.kind or len(below) == 1}
  return found


def _object(path: str, value: Any, kinds: Mapping[str, type]) -> Any:
  if not isinstance(value, dict):
    raise ValueError(f"{path or 'it'} is {value!r}, but should be an object")
  own = dict(value)
  name = own.pop("kind", "") if list(kinds) != [""] else ""
  if name not in kinds:
    valid = ", ".join(sorted(kinds))
    raise ValueError(f"{_join(path, 'kind')} is {name!r}; valid: {valid}")
  kind = kinds[name]
  fields = {field.name: field for field in dataclasses.fields(kind)}
  hints = _hints(kind)
  for key in own:
    if key not in fields:
      valid = ", ".join(fields)
      raise ValueError(f"{_join(path, key)} is unknown; valid: {valid}")
    own[key] = _from_json(_join(path, key), own[key], hints[key])
  for key, field in fields.items():
    if key not in own and _default(field) is dataclasses.MISSING:
      raise ValueError(f"{_join(path, key)} is missing")
  try:
    return kind(**own)
  except ValueError as error:
    raise ValueError(f"{path}: {error}" if path else str(error)) from None


def _join(path: str, key: Any) -> str:
  return f"{path}.{key}" if path else str(key)
