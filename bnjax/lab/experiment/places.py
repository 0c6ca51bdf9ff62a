"""Where an experiment trains: the points of its config, and their seeds."""

import itertools
import json
import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from bnjax.lab.config import MOST_NETWORKS, Seed
from bnjax.lab.errors import UserError
from bnjax.lab.registry import check_value

# Dotted fields of the config and a value of each.
Point = dict[str, Any]


class Place(NamedTuple):
  """A point and the seeds that are trained there."""

  point: Point  # its values by dotted field, but the seed; empty without a grid
  seeds: tuple[int, ...]  # those that points name; those of the arm if empty


def places(config: Mapping[str, Any]) -> list[Place]:
  """Every point once, in order of appearance, with its seeds.

  Raises:
    UserError: an axis is empty or no list, or a field is set twice.

  >>> places({"grid": {"l2": (0.1,)}, "points": ({"seed": 3}, {"seed": 5})})
  [Place(point={'l2': 0.1}, seeds=(3, 5))]
  """
  seeds: dict[str, list[int]] = {}
  points: dict[str, Point] = {}
  for point in every_point(config):
    rest = {field: v for field, v in point.items() if field != "seed"}
    key = point_key(rest)
    points.setdefault(key, rest)
    own = seeds.setdefault(key, [])
    if "seed" in point:
      if type(point["seed"]) is not int:
        check_value("seed", point["seed"], Seed)
      own.append(point["seed"])
  return [
    Place(point, tuple(dict.fromkeys(seeds[key])))
    for key, point in points.items()
  ]


def every_point(config: Mapping[str, Any]) -> list[Point]:
  """The points of the config's grid, each with each of its `points`."""
  axes = _axes(config["grid"])
  others: Sequence[Point] = config.get("points") or ({},)
  check_count(math.prod(map(len, axes.values())) * len(others))
  found = []
  for values in itertools.product(*axes.values()):
    for more in others:
      if twice := [field for field in more if field in axes]:
        raise UserError(f"{twice[0]}: is set by the grid and by a point")
      found.append({**dict(zip(axes, values, strict=True)), **more})
  return found


def point_key(point: Mapping[str, Any]) -> str:
  """A text that two points share if all their values agree.

  >>> point_key({"b": 1, "a": (2,)}) == point_key({"a": [2], "b": 1})
  True
  """
  return json.dumps(point, sort_keys=True, default=str)


def check_count(networks: int) -> None:
  """Raises UserError for more networks than a plan may have."""
  if networks > MOST_NETWORKS:
    raise UserError(
      f"{networks:,} networks are too many; at most {MOST_NETWORKS:,}: leave "
      "out seeds, arms or points"
    )


def _axes(grid: Mapping[str, Any], path: str = "") -> dict[str, Sequence[Any]]:
  """{"a": {"b": [1, 2]}} as {"a.b": [1, 2]}."""
  axes: dict[str, Sequence[Any]] = {}
  for key, values in grid.items():
    field = f"{path}{key}"
    if isinstance(values, Mapping):
      axes |= _axes(values, f"{field}.")
    elif isinstance(values, str) or not isinstance(values, Sequence):
      raise UserError(f"grid.{field}: {values!r} is not a list of values")
    elif not values:
      raise UserError(f"grid.{field}: the axis is empty; give it values")
    else:
      check_distinct(f"grid.{field}", values)
      axes[field] = values
  return axes


def check_distinct(field: str, values: Sequence[Any]) -> None:
  """Raises UserError where a value is there twice.

  >>> check_distinct("l2", (0.1, 1.0, 0.1))
  Traceback (most recent call last):
  bnjax.lab.errors.UserError: l2: 0.1 is there twice; leave one out
  """
  seen = set()
  for value in values:
    key = point_key({"": value}).replace(".0}", "}")  # 1 is 1.0
    if key in seen:
      raise UserError(f"{field}: {value!r} is there twice; leave one out")
    seen.add(key)


def nested(point: Point) -> dict[str, Any]:
  """{"a.b": 1} as {"a": {"b": 1}}.

  Raises:
    UserError: a field is set, and one of its fields, too.
  """
  whole: dict[str, Any] = {}
  for field, value in point.items():
    *path, last = field.split(".")
    place = whole
    for key in path:
      place = place.setdefault(key, {})
      if not isinstance(place, dict):
        raise UserError(f"{field}: {key} is set, too, to {place!r}")
    if last in place:
      raise UserError(f"{field}: fields of it are set, too")
    place[last] = value
  return whole
