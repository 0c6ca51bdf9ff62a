"""The axes of a sweep as text: `optimizer.learning_rate=log:1e-4..1:12`.

Values are written as

    a,b,c             these
    log:LOW..HIGH:N   N of them, each the same multiple of the one before
    linear:LOW..HIGH:N   N of them, equally far apart
    LOW..HIGH         all whole numbers from LOW to HIGH

and distributions, to draw from, as

    log:LOW..HIGH     a number whose logarithm is uniform
    linear:LOW..HIGH  a number that is uniform
    LOW..HIGH         a whole number
    a,b,c             one of these
"""

import itertools
import math
import random
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from bnjax.lab.config.text import Field, convert, lookup
from bnjax.lab.errors import UserError
from bnjax.lab.experiment.plan import Point, check_count, check_distinct
from bnjax.lab.registry import check_value

_RANGE = re.compile(r"(?:(log|linear):)?([^:,]+?)\.\.([^:,]+?)(?::([^:,]+))?")


class Range(NamedTuple):
  """A range such as `log:1e-4..1:12`, parsed."""

  spacing: str  # "log" or "linear"; "" for whole numbers
  low: float  # the first
  high: float  # the last
  number: int | None  # how many; None if it does not say


def read_axis(text: str, config: Mapping[str, Any]) -> list[Point]:
  """An axis from the command line: a point for each value.

  Args:
    text: `field=values`, see above; the field may begin with `config.`.
    config: has the field, whose value tells its type.

  Raises:
    UserError: there is no such field, no value, or one of another type.

  >>> read_axis("config.l2=log:1e-4..1e-2:3", {"l2": 0.0})
  [{'l2': 0.0001}, {'l2': 0.001}, {'l2': 0.01}]
  >>> read_axis("seed=0..2", {"seed": 0})
  [{'seed': 0}, {'seed': 1}, {'seed': 2}]
  """
  field, values = _split(text)
  known = lookup(config, field)
  found = _range(field, values)
  if found is None:
    listed = _listed(field, values, known)
    check_distinct(field, listed)
  else:
    listed = _spaced(field, found, known)
  return [{field: value} for value in listed]


def read_zip(text: str, config: Mapping[str, Any]) -> list[Point]:
  """Axes that advance together: `field=values;field=values`.

  Raises:
    UserError: as `read_axis`, or the axes are not equally long.

  >>> read_zip("l2=0.1,0.2;steps=5,6", {"l2": 0.0, "steps": 1})
  [{'l2': 0.1, 'steps': 5}, {'l2': 0.2, 'steps': 6}]
  """
  axes = [read_axis(part, config) for part in text.split(";")]
  if len({len(axis) for axis in axes}) > 1:
    said = ", ".join(f"{next(iter(axis[0]))} has {len(axis)}" for axis in axes)
    raise UserError(
      f"--zip: axes that advance together are equally long; {said}"
    )
  return [_joined(row) for row in zip(*axes, strict=True)]


def draw_points(
  texts: Sequence[str], config: Mapping[str, Any], *, count: int, seed: int
) -> list[Point]:
  """Random points.

  Args:
    texts: `field=distribution`, see above.
    config: has the fields.
    count: how many points.
    seed: the same one gives the same points; a larger count, further ones.

  Raises:
    UserError: as `read_axis`.

  >>> draw_points(["l2=log:1e-4..1"], {"l2": 0.0}, count=2, seed=0)
  [{'l2': 0.2386}, {'l2': 0.1076}]
  """
  check_count(count)
  fields: dict[str, tuple[Range | None, Sequence[Any], Field]] = {}
  for text in texts:
    field, values = _split(text)
    known = lookup(config, field)
    found = _range(field, values)
    if found is not None and found.number is not None:
      raise UserError(
        f"{field}={values}: a distribution has no number of values; write "
        f"{values.rpartition(':')[0]}"
      )
    listed = _listed(field, values, known) if found is None else ()
    fields[field] = found, listed, known
  source = random.Random(seed)
  return [
    {field: _draw(field, how, source) for field, how in fields.items()}
    for _ in range(count)
  ]


def cross(parts: Sequence[Sequence[Point]]) -> list[Point]:
  """Every combination of a point of each part.

  Raises:
    UserError: two parts set the same field.
  """
  seen: set[str] = set()
  for part in parts:
    fields = {field for point in part for field in point}
    if twice := sorted(seen & fields):
      raise UserError(f"{twice[0]}: is swept twice; leave one of them out")
    seen |= fields
  check_count(math.prod(map(len, parts)))
  return [_joined(row) for row in itertools.product(*parts)]


def _joined(points: Iterable[Point]) -> Point:
  return {field: value for point in points for field, value in point.items()}


def _split(text: str) -> tuple[str, str]:
  field, equals, values = text.strip().partition("=")
  field = field.strip().removeprefix("config.")
  if not equals or not field:
    raise UserError(f"{text!r}: an axis is written config.field=values")
  if not values.strip():
    raise UserError(f"{field}: the axis is empty; give it values")
  return field, values.strip()


def _listed(field: str, text: str, known: Field) -> tuple[Any, ...]:
  # Not at commas within brackets.
  parts = re.split(r",(?![^([]*[)\]])", text)
  return tuple(convert(field, value, known) for value in parts)


def _range(field: str, text: str) -> Range | None:
  match = _RANGE.fullmatch(text)
  if match is None:
    if ":" in text and ".." in text:
      raise UserError(
        f"{field}: {text!r} is no range; write log:1e-4..1:12, "
        "linear:0..1:5 or 0..9"
      )
    return None
  spacing, low, high, count = match.groups()
  ends = [
    check_value(field, convert(field, end, Field(float)), float)
    for end in (low, high)
  ]
  number = None if count is None else convert(field, count, Field(int))
  check_count(number or 0)
  if ends[0] > ends[1]:
    raise UserError(f"{field}: {text!r} is empty; the lower end comes first")
  if spacing == "log" and ends[0] <= 0:
    raise UserError(f"{field}: {text!r}: a logarithmic range begins above 0")
  if number is not None and number < 1:
    raise UserError(f"{field}: {text!r} is empty; give it values")
  return Range(spacing or "", ends[0], ends[1], number)


def _spaced(field: str, found: Range, known: Field) -> tuple[Any, ...]:
  spacing, low, high, count = found
  if not spacing:
    if not float(low).is_integer() or not float(high).is_integer():
      raise UserError(
        f"{field}: {low:g}..{high:g} counts whole numbers; write "
        f"log:{low:g}..{high:g}:N or linear:{low:g}..{high:g}:N"
      )
    check_count(int(high) - int(low) + 1)
    return tuple(_cast(field, v, known) for v in range(int(low), int(high) + 1))
  if count is None:
    raise UserError(
      f"{field}: how many values from {low:g} to {high:g}? Write "
      f"{spacing}:{low:g}..{high:g}:N"
    )
  parts = [i / max(1, count - 1) for i in range(count)]
  values = (_cast(field, _between(spacing, low, high, p), known) for p in parts)
  return tuple(dict.fromkeys(values))  # whole numbers may coincide


def _draw(
  field: str,
  how: tuple[Range | None, Sequence[Any], Field],
  source: random.Random,
) -> Any:
  found, listed, known = how
  if found is None:
    return source.choice(listed)
  if not found.spacing:
    return _cast(field, source.randint(int(found.low), int(found.high)), known)
  part = source.random()
  return _cast(
    field, _between(found.spacing, found.low, found.high, part), known
  )


def _between(spacing: str, low: float, high: float, part: float) -> float:
  if spacing == "log":
    return low * math.exp(part * math.log(high / low))
  return low + part * (high - low)


def _cast(field: str, value: float, known: Field) -> Any:
  """A number of a range as the field's type; floats to four digits."""
  kind = known.kind or type(value)
  if kind not in (int, float):
    raise UserError(
      f"{field}: a range of numbers cannot be its values; it holds "
      f"{kind.__name__} ({known.now})"
    )
  return round(value) if kind is int else float(f"{value:.4g}")
