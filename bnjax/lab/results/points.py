"""Points of a grid: which values of which fields a run was trained with.

A config's `grid` maps dotted fields to values, and every arm is trained at
every point of their product. A row says at which point its run is:

    {"arm": ..., "seed": ..., "step": ...,
     "point": {"optimizer.learning_rate": 0.1, "model.init_scale": 1.0}}
"""

import itertools
import math
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

# (field, value) pairs in the order of the fields' names; empty without a grid.
Point = tuple[tuple[str, Any], ...]


def point_of(row: Mapping[str, Any]) -> Point:
  """The point of a row's run.

  >>> point_of({"arm": "a", "point": {"l2": 0.1, "batch_size": 2}})
  (('batch_size', 2), ('l2', 0.1))
  >>> point_of({"arm": "a"})
  ()
  """
  point = row.get("point")
  if point is None:
    return ()
  return tuple(sorted((field, _frozen(v)) for field, v in point.items()))


def _frozen(value: Any) -> Any:
  """A value that JSON has as a list, such as a model's channels, as a tuple."""
  return tuple(map(_frozen, value)) if isinstance(value, list) else value


def grid_axes(config: Mapping[str, Any]) -> dict[str, tuple[Any, ...]]:
  """The fields of a config's grid, dotted, and the values of each.

  >>> grid_axes({"grid": {"optimizer": {"learning_rate": [1, 2]}}})
  {'optimizer.learning_rate': (1, 2)}
  """
  return {
    field: tuple(value if isinstance(value, list | tuple) else (value,))
    for field, value in flat(config.get("grid") or {}).items()
    if not isinstance(value, Mapping)  # an empty group
  }


def flat(config: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
  """Dotted fields of a nested config.

  >>> flat({"norm": {"name": "none"}, "steps": 10})
  {'norm.name': 'none', 'steps': 10}
  """
  found: dict[str, Any] = {}
  for key, value in config.items():
    if isinstance(value, Mapping) and value:
      found |= flat(value, f"{prefix}{key}.")
    else:
      found[f"{prefix}{key}"] = value
  return found


def short_names(fields: Iterable[str]) -> dict[str, str]:
  """The last part of each field, or all of it where two end alike.

  >>> short_names(["optimizer.learning_rate", "model.decay", "norm.decay"])
  {'optimizer.learning_rate': 'learning_rate', 'model.decay': 'model.decay',
   'norm.decay': 'norm.decay'}
  """
  fields = list(fields)
  last = [field.rpartition(".")[2] for field in fields]
  return {
    field: short if last.count(short) == 1 else field
    for field, short in zip(fields, last, strict=True)
  }


def is_number(value: Any) -> bool:
  """Whether a value is a finite number, and not a boolean."""
  return (
    isinstance(value, int | float)
    and not isinstance(value, bool)
    and abs(value) <= sys.float_info.max  # math.isfinite takes no larger int
  )


def by_size(value: Any) -> tuple[bool, float, str]:
  """A key that sorts numbers by size, before names by their letters."""
  if is_number(value):
    return False, float(value), ""
  return True, 0.0, str(value)


def common_ratio(values: Sequence[Any]) -> float | None:
  """The factor between neighbouring values, if it is the same throughout.

  >>> common_ratio([0.1, 1.0, 10.0]), common_ratio([1, 2, 3])
  (10.0, None)
  """
  if len(values) < 3 or not all(is_number(v) and v > 0 for v in values):
    return None
  ratios = [b / a for a, b in itertools.pairwise(values)]
  alike = all(math.isclose(r, ratios[0], rel_tol=0.1) for r in ratios)
  return ratios[0] if alike and ratios[0] != 1 else None


def same_value(one: Any, other: Any) -> bool:
  """Whether two values of a field are the same, numbers to nine digits.

  One of them may have been through float32's or a person's decimals.

  >>> same_value(0.1, 0.1000000000001), same_value("relu", "tanh")
  (True, False)
  """
  if is_number(one) and is_number(other):
    return math.isclose(one, other, rel_tol=1e-9)
  return bool(one == other)


def matches(point: Point, wanted: Iterable[tuple[str, Any]]) -> bool:
  """Whether a point has the wanted values; fields may be short names."""
  names = short_names(field for field, _ in point)
  have = dict(point) | {names[field]: value for field, value in point}
  return all(
    name in have and same_value(have[name], value) for name, value in wanted
  )
