"""From the points of a sweep to its trials: one network each.

Every arm of the config is trained at every point, for every seed.
"""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from bnjax.lab.config import GROUPS, NOT_FOR_ARMS, override, resolve
from bnjax.lab.errors import UserError
from bnjax.lab.experiment.plan import nested
from bnjax.lab.experiment.validation import check_spec
from bnjax.lab.launch.axes import Point, cross, product
from bnjax.lab.launch.fields import lookup
from bnjax.lab.results import to_strict
from bnjax.lab.results.points import grid_axes


class Trial(NamedTuple):
  """One network of a sweep.

  Attributes:
    id: a digest of all that decides the outcome: the same in every sweep.
    arm: name of its arm.
    seed: its seed.
    point: what the sweep sets, by dotted field, but the seed.
    spec: its complete specification; {} where that is not valid.
    error: what is wrong with it; "" if nothing is.
  """

  id: str
  arm: str
  seed: int
  point: Point
  spec: dict[str, Any]
  error: str = ""


def collect(sweep: Callable[[Callable[..., None]], None]) -> list[Point]:
  """The points that a file's `sweep(add)` adds, in order.

  `add` takes dotted fields and their values as a mapping, or, where a field
  has no dot, as keywords: `add({"optimizer.learning_rate": 0.1}, seed=3)`.

  >>> collect(lambda add: [add({"norm.decay": d}, seed=1) for d in (0.9,)])
  [{'norm.decay': 0.9, 'seed': 1}]
  """
  points: list[Point] = []

  def add(point: Mapping[str, Any] | None = None, /, **fields: Any) -> None:
    whole = {**(point or {}), **fields}
    points.append(
      {k.removeprefix("config."): _plain(v) for k, v in whole.items()}
    )

  sweep(add)
  if not points:
    raise UserError("sweep(add): it adds no trial")
  return points


def make_trials(
  config: Mapping[str, Any],
  points: Sequence[Point],
  *,
  arms: Sequence[str] = (),
  data_dir: str | None = None,
) -> list[Trial]:
  """Every trial, point by point, arm by arm, seed by seed, each once.

  A point whose values do not fit is a trial with an error, unless no point of
  its arm is any better.

  Args:
    config: of `bnjax.lab.config.complete`. Its own grid is crossed with the
      points.
    points: what the sweep sets.
    arms: those to train; all if empty.
    data_dir: where prepared data sets are.

  Raises:
    UserError: a point sets a field that does not exist or has another type, or
      an arm sets the same field; or an arm has no valid point.
  """
  chosen = _chosen(config, arms)
  whole = cross([points or [{}], product(grid_axes(config))])
  for point in whole:
    _check(config, chosen, point)
  trials: dict[str, Trial] = {}
  for point in whole:
    for trial in _at(config, chosen, point, data_dir):
      trials.setdefault(trial.id, trial)
  for arm in chosen:
    own = [trial for trial in trials.values() if trial.arm == arm]
    if all(trial.error for trial in own):
      raise UserError(own[0].error)
  return list(trials.values())


def _plain(value: Any) -> Any:
  """A NumPy number as Python's."""
  return value.item() if hasattr(value, "item") else value


def _chosen(
  config: Mapping[str, Any], arms: Sequence[str]
) -> dict[str, dict[str, Any]]:
  for arm in arms:
    if arm not in config["arms"]:
      known = ", ".join(config["arms"])
      raise UserError(f"--arms: {arm!r} is not one; the config has {known}")
  return {arm: config["arms"][arm] for arm in arms or config["arms"]}


def _check(
  config: Mapping[str, Any], arms: Mapping[str, Any], point: Point
) -> None:
  """Raises UserError for what would be wrong whatever the values are."""
  for field in point:
    if field.partition(".")[0] in NOT_FOR_ARMS:
      raise UserError(f"{field}: belongs to the sweep as a whole, not a trial")
    if field == "seeds":
      raise UserError("seeds: sweep seed, as in config.seed=0..9, instead")
    lookup(config, field)
    for arm, own in arms.items():
      if _sets(own, field):
        raise UserError(
          f"{field}: arm {arm!r} sets it itself; choose others with --arms"
        )
  plain = {f: v for f, v in point.items() if f.partition(".")[0] not in GROUPS}
  override("sweep", config, nested(plain))


def _sets(own: Mapping[str, Any], field: str) -> bool:
  value: Any = own
  for key in field.split("."):
    if not isinstance(value, Mapping) or key not in value:
      return False
    value = value[key]
  return True


def _at(
  config: Mapping[str, Any],
  arms: Mapping[str, Any],
  point: Point,
  data_dir: str | None,
) -> list[Trial]:
  """The trials of one point."""
  rest = {k: v for k, v in point.items() if k != "seed"}
  trials = []
  for arm in arms:
    own, error = {**point, "arm": arm}, ""
    spec: dict[str, Any] = {}
    try:
      spec = resolve(config, arm, nested(rest), source="sweep")
      check_spec(spec, data_dir)
    except UserError as wrong:
      spec, error = {}, str(wrong)
    known = spec or config
    first = point.get("seed", known["seed"])
    count = 1 if "seed" in point else known["seeds"]
    for seed in range(first, first + count):
      key = _digest(arm, seed, spec or own)
      trials.append(Trial(key, arm, seed, rest, spec, error))
  return trials


def _digest(arm: str, seed: int, spec: Mapping[str, Any]) -> str:
  rest = {k: v for k, v in spec.items() if k not in ("seed", "seeds")}
  text = json.dumps(to_strict([arm, seed, rest]), sort_keys=True)
  return hashlib.sha256(text.encode()).hexdigest()[:12]
