"""Values of a config against the types that functions say they take."""

import inspect
import types
from collections.abc import Sequence
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from bnjax.lab.errors import UserError, choice
from bnjax.lab.registry.ranges import (
  ANY,
  LARGEST,
  Range,
  check_finite,
  check_number,
)

_NUMBERS = (bool, int, float, str)
_LISTS = (tuple, list, Sequence)
_NONE = type(None)


class _Other(Exception):
  """The value is of another type."""


def is_plain(value: Any) -> bool:
  """Whether JSON can hold a value: None, a number, text, or a list of such."""
  if isinstance(value, (tuple, list)):
    return all(map(is_plain, value))
  return value is None or type(value) in _NUMBERS


def check_value(
  field: str,
  value: Any,
  annotation: Any,
  default: Any = inspect.Parameter.empty,
) -> Any:
  """A value as the annotated type: an int where a float is meant becomes one.

  Where the annotation says nothing (`Any`, an array, a function), the type of
  the default counts; where that says nothing either, any finite value is right.

  Raises:
    UserError: it is of another type, or out of its range.

  >>> check_value("l2", 1, float), check_value("channels", [8], tuple[int, ...])
  (1.0, (8,))
  >>> check_value("steps", 1.5, int)
  Traceback (most recent call last):
  bnjax.lab.errors.UserError: steps: 1.5 is of type float, and is to be int
  """
  wanted = annotation
  if not _says(annotation):
    wanted = type(default)
    if default is None or not _says(wanted):
      check_finite(field, value)
      return value
    if value is None and _takes_none(annotation):
      return value
  try:
    return _as(field, value, wanted)
  except _Other:
    if get_origin(wanted) is Literal:
      choice(field, value, get_args(wanted))
    raise UserError(
      f"{field}: {value!r} is of type {type(value).__name__}, and is to be "
      f"{_type_name(wanted)}"
    ) from None


def _type_name(annotation: Any) -> str:
  """An annotation in words.

  >>> _type_name(int | None), _type_name(tuple[int, ...])
  ('int or None', 'a tuple of int')
  """
  origin, inner = get_origin(annotation), get_args(annotation)
  if origin is Annotated:
    return _type_name(inner[0])
  if origin in (Union, types.UnionType):
    return " or ".join(_type_name(member) for member in inner)
  if origin is Literal:
    return " or ".join(map(repr, inner))
  if origin in _LISTS or annotation in _LISTS:
    items = dict.fromkeys(_type_name(i) for i in inner if i is not Ellipsis)
    return "a tuple" + (f" of {', '.join(items)}" if items else "")
  return "None" if annotation is _NONE else annotation.__name__


def _says(annotation: Any) -> bool:
  """Whether an annotation is made of plain types alone."""
  origin, inner = get_origin(annotation), get_args(annotation)
  if origin is Literal:
    return True
  if origin is Annotated:
    return _says(inner[0])
  if origin in (Union, types.UnionType) or origin in _LISTS:
    return all(_says(i) for i in inner if i is not Ellipsis)
  if inspect.isclass(annotation) and origin is None:
    return annotation in (*_NUMBERS, *_LISTS, _NONE)
  return False


def _takes_none(annotation: Any) -> bool:
  return (
    annotation is Any
    or annotation is inspect.Parameter.empty
    or (_NONE in get_args(annotation))
  )


def _as(field: str, value: Any, wanted: Any, bounds: Range = ANY) -> Any:
  origin, inner = get_origin(wanted), get_args(wanted)
  if origin is Annotated:
    stated = [note for note in inner[1:] if isinstance(note, Range)]
    return _as(field, value, inner[0], *stated)
  if origin in (Union, types.UnionType):
    # As it is where a member is just that; an int before it becomes a float.
    for member in sorted(inner, key=lambda m: m is not type(value)):
      try:
        return _as(field, value, member, bounds)
      except _Other:
        continue
    raise _Other
  if origin is Literal:
    if value in inner and type(value) in map(type, inner):
      return value
    raise _Other
  if origin in _LISTS or wanted in _LISTS:
    found = _as_tuple(field, value, inner)
    check_number(f"length of {field}", len(found), bounds)
    return found
  if wanted is float and type(value) is int:
    check_number(field, value, Range(-LARGEST[float], LARGEST[float]))
    value = float(value)
  if type(value) is not wanted:
    raise _Other
  check_number(field, value, bounds)
  return value


def _as_tuple(
  field: str, value: Any, inner: tuple[Any, ...]
) -> tuple[Any, ...]:
  if not isinstance(value, (tuple, list)):
    raise _Other
  if not inner:
    check_finite(field, value)
    return tuple(value)
  if Ellipsis in inner or len(inner) == 1:
    inner = (inner[0],) * len(value)
  if len(inner) != len(value):
    raise _Other
  names = [f"{field}[{i}]" for i in range(len(value))]
  return tuple(map(_as, names, value, inner))


def kind_of(annotation: Any, default: Any = None) -> tuple[type | None, bool]:
  """The one type of a value's text, and whether it may be None, too.

  >>> kind_of(int | None), kind_of(Any, 0.5), kind_of(Any)
  ((<class 'int'>, True), (<class 'float'>, True), (None, True))
  """
  origin, inner = get_origin(annotation), get_args(annotation)
  if origin is Annotated:
    return kind_of(inner[0], default)
  optional = default is None or _takes_none(annotation)
  members = inner if origin in (Union, types.UnionType) else (annotation,)
  for member in (*members, type(default)):
    plain = get_args(member)[0] if get_origin(member) is Annotated else member
    if plain in (*_NUMBERS, tuple) or get_origin(plain) in _LISTS:
      return (plain if plain in _NUMBERS else tuple), optional
  return None, optional
