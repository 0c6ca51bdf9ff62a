"""Which networks an experiment trains, and which of them share a program.

Every arm is trained at every point for every seed. The points are those of the
config's `grid`, each combined with each of its `points`; a point that sets
`seed` has that one alone. Networks whose specifications differ only in numbers
that leave shapes and code alone (see `bnjax.lab.config.traceable`) are trained
by one compiled program, together.
"""

import itertools
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from bnjax.lab.config import Seed, resolve, resolve_arms, traceable
from bnjax.lab.experiment.places import (
  Place as Place,
  Point as Point,
  check_count as check_count,
  check_distinct as check_distinct,
  every_point as every_point,
  nested as nested,
  places as places,
  point_key as point_key,
)
from bnjax.lab.registry import check_value


class Network(NamedTuple):
  """One network to train."""

  arm: str  # name of its arm
  point: Point  # its values on the grid by dotted field; empty without a grid
  seed: int  # of its weights, minibatches and dropout
  spec: dict[str, Any]  # its complete specification


class Group(NamedTuple):
  """Networks that one compiled program trains."""

  # what they have in common, and of the rest the first one's
  spec: dict[str, Any]
  # the values that differ, one per network, by dotted field
  hyper: dict[str, tuple[float, ...]]
  networks: tuple[Network, ...]  # in the order of the values

  def split(self, at_once: int) -> list["Group"]:
    """Parts of at most that many networks, for the same program.

    Equally large ones if their number allows: each size is compiled for.
    """
    count = len(self.networks)
    size = -(-count // -(-count // at_once))
    size = next((s for s in range(size, size // 2, -1) if count % s == 0), size)
    return self.cut([size] * -(-count // size))

  def cut(self, sizes: Sequence[int]) -> list["Group"]:
    """Parts of these sizes; the last one may be smaller."""
    parts = []
    for end, size in zip(itertools.accumulate(sizes), sizes, strict=True):
      part = slice(end - size, end)
      hyper = {field: values[part] for field, values in self.hyper.items()}
      parts.append(Group(self.spec, hyper, self.networks[part]))
    return parts


def join(parts: Sequence[Group]) -> Group:
  """The group that was split into these parts."""
  return Group(
    parts[0].spec,
    {
      field: tuple(value for part in parts for value in part.hyper[field])
      for field in parts[0].hyper
    },
    tuple(network for part in parts for network in part.networks),
  )


def networks(config: Mapping[str, Any]) -> list[Network]:
  """Every network: arm by arm, point by point, seed by seed.

  Raises:
    UserError: there is no arm, an axis of the grid is empty, names no field, or
      holds values of another type than the field or out of its range; or there
      are more than `MOST_NETWORKS`.
  """
  where = places(config)
  check_size(config, config["arms"], where)
  found: list[Network] = []
  for arm in config["arms"]:
    for place in where:
      found += networks_at(config, arm, place)
      check_count(len(found))
  for network in found:
    check_value("seed", network.seed, Seed)
  return found


def check_size(
  config: Mapping[str, Any], arms: Iterable[str], where: Sequence[Place]
) -> None:
  """Raises UserError for more networks than a plan may have."""
  own = resolve_arms(config)
  named = sum(len(place.seeds) for place in where)
  unnamed = sum(not place.seeds for place in where)
  check_count(sum(named + unnamed * own[arm]["seeds"] for arm in arms))


def networks_at(
  config: Mapping[str, Any], arm: str, place: Place, source: str = "grid"
) -> list[Network]:
  """The networks of an arm at a point, seed by seed.

  Raises:
    UserError: the point sets no field of the arm, or one to another type or out
      of its range. Seeds are left to be checked.
  """
  own = resolve(config, arm, nested(place.point), source=source)
  seeds = place.seeds or range(own["seed"], own["seed"] + own["seeds"])
  return [Network(arm, place.point, seed, own) for seed in seeds]


def groups(found: Sequence[Network]) -> list[Group]:
  """Sorts networks into groups that share a program, in order of appearance."""
  together: dict[str, list[Network]] = {}
  for network in found:
    together.setdefault(shape(network.spec), []).append(network)
  return [_group(members) for members in together.values()]


def get(spec: Mapping[str, Any], field: str) -> Any:
  """The value of a dotted field."""
  value: Any = spec
  for key in field.split("."):
    value = value[key]
  return value


def replace(spec: Mapping[str, Any], field: str, value: Any) -> dict[str, Any]:
  """The specification with one dotted field set, to a traced value perhaps."""
  key, _, rest = field.partition(".")
  return {**spec, key: replace(spec[key], rest, value) if rest else value}


def _group(members: list[Network]) -> Group:
  hyper = {}
  for field in traceable(members[0].spec):
    values = tuple(get(network.spec, field) for network in members)
    if len(set(values)) > 1:
      hyper[field] = values
  return Group(members[0].spec, hyper, tuple(members))


def shape(spec: Mapping[str, Any]) -> str:
  """What has to agree for two networks to share a program."""
  rest: dict[str, Any] = {**spec, "seed": 0, "seeds": 0}
  for field in traceable(spec):
    rest = replace(rest, field, "of its own")
  return json.dumps(rest, sort_keys=True, default=str)
