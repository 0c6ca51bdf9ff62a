"""The plan of a sweep: a config whose grid and points say what is trained."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from bnjax.lab.config import NOT_FOR_ARMS, Seed
from bnjax.lab.config.text import lookup
from bnjax.lab.errors import UserError
from bnjax.lab.experiment import plan
from bnjax.lab.experiment.plan import Network, Point
from bnjax.lab.experiment.validation import check_spec
from bnjax.lab.launch.axes import cross
from bnjax.lab.registry import check_value

# What there is of a network that could not be trained, and its "error".
Row = dict[str, Any]


def planned(
  config: Mapping[str, Any], points: Sequence[Point], arms: Sequence[str] = ()
) -> dict[str, Any]:
  """The config with the points of a sweep.

  Where they are all combinations of some values they become its `grid`, and
  consecutive seeds its `seed` and `seeds`, so that reports show a grid. Others
  stay as they are, in its `points`.

  Args:
    config: of `bnjax.lab.config.complete`. Its own grid and points are crossed
      with those given.
    points: what the sweep sets, by dotted field.
    arms: those that are trained; all if empty.

  Raises:
    UserError: a point sets a field that does not exist or has another type, or
      one that an arm sets itself.
  """
  whole = cross([points or [{}], plan.every_point(config)])
  chosen = choose_arms(config, arms)
  for point in whole:
    _check(config, chosen, point)
  swept = {**config, "grid": {}, "points": tuple(whole)}
  where = plan.places(swept)
  seeds = where[0].seeds
  own: list[Point]
  if any(place.seeds != seeds for place in where):
    own = [
      {**place.point, **({} if seed is None else {"seed": seed})}
      for place in where
      for seed in place.seeds or (None,)
    ]
    return swept | {"points": tuple(own)}
  rests = [place.point for place in where]
  grid = _axes(rests)
  follow = seeds and seeds == tuple(range(seeds[0], seeds[0] + len(seeds)))
  follow = follow and not any(map(_wrong_seed, (seeds[0], seeds[-1])))
  if follow and not any("seeds" in arm for arm in chosen.values()):
    swept |= {"seed": seeds[0], "seeds": len(seeds)}
    seeds = ()
  own = [{"seed": seed} for seed in seeds]
  if grid is None:
    return swept | {"points": tuple(cross([rests, own or [{}]]))}
  return swept | {"grid": plan.nested(dict(grid)), "points": tuple(own)}


def make_networks(
  config: Mapping[str, Any],
  *,
  arms: Sequence[str] = (),
  data_dir: str | None = None,
) -> tuple[list[Network], list[Row]]:
  """Every valid network of a plan, point by point, and the invalid ones.

  A point whose values do not fit stops no other, unless no point of its arm is
  any better.

  Returns:
    The networks; and `{"arm", "seed", "point", "error"}` of the others.

  Raises:
    UserError: an arm has no valid point.
  """
  chosen = choose_arms(config, arms)
  where = plan.places(config)
  plan.check_size(config, chosen, where)
  networks: list[Network] = []
  wrong: list[Row] = []
  for place in where:
    for arm in chosen:
      found = [
        Network(arm, place.point, seed, {}) for seed in _seeds(config, place)
      ]
      error = ""
      try:
        found = plan.networks_at(config, arm, place, source="sweep")
        check_spec(found[0].spec, data_dir)
      except UserError as refused:
        error = str(refused)
      for network in found:
        if said := error or _wrong_seed(network.seed):
          point = {f: _shown(v) for f, v in place.point.items()}
          row = {"arm": arm, "point": point, "error": said}
          wrong.append(row | {"seed": network.seed})
        else:
          networks.append(network)
  valid = {network.arm for network in networks}
  for arm in chosen:
    if arm not in valid:
      raise UserError(next(r["error"] for r in wrong if r["arm"] == arm))
  return networks, wrong


def _seeds(config: Mapping[str, Any], place: plan.Place) -> Sequence[int]:
  first, count = config["seed"], config["seeds"]
  return place.seeds or range(first, first + count)


def _shown(value: Any) -> Any:
  """A value as JSON can hold it: "inf" for what is not finite."""
  odd = isinstance(value, float) and not math.isfinite(value)
  return str(value) if odd else value


def _wrong_seed(seed: int) -> str:
  try:
    check_value("seed", seed, Seed)
  except UserError as error:
    return str(error)
  return ""


def choose_arms(
  config: Mapping[str, Any], arms: Sequence[str]
) -> dict[str, Mapping[str, Any]]:
  """Those arms of a config; all of them if none is named.

  Raises:
    UserError: one of them is none.
  """
  for arm in arms:
    if arm not in config["arms"]:
      known = ", ".join(config["arms"])
      raise UserError(f"--arms: {arm!r} is not one; the config has {known}")
  return {arm: config["arms"][arm] for arm in arms or config["arms"]}


def _axes(points: Sequence[Point]) -> dict[str, tuple[Any, ...]] | None:
  """The axes of the grid with exactly these points; None if there is none."""
  fields = list(points[0])
  if any(set(point) != set(fields) for point in points):
    return None
  axes = {}
  for field in fields:
    values = {plan.point_key({field: p[field]}): p[field] for p in points}
    axes[field] = tuple(values.values())
  # No two points are the same: as many as there are combinations are all.
  every = len(points) == math.prod(map(len, axes.values()))
  return axes if every else None


def _check(
  config: Mapping[str, Any], arms: Mapping[str, Any], point: Point
) -> None:
  """Raises UserError for a field that no point of a sweep may set."""
  for field in point:
    if field.partition(".")[0] in NOT_FOR_ARMS:
      raise UserError(f"{field}: belongs to the sweep as a whole, not a point")
    if field == "seeds":
      raise UserError("seeds: sweep seed, as in config.seed=0..9, instead")
    lookup(config, field)
    for arm, own in arms.items():
      if _sets(own, field):
        raise UserError(
          f"{field}: arm {arm!r} sets it itself; choose others with --arms"
        )


def _sets(own: Mapping[str, Any], field: str) -> bool:
  value: Any = own
  for key in field.split("."):
    if not isinstance(value, Mapping) or key not in value:
      return False
    value = value[key]
  return True
