"""The metrics of a run made small enough to keep beside its summary.

    {"curves": [{"arm", "metric", "seeds": [...], "steps": [...],
                 "values": [[value of each step] of each seed]}],
     "grids": [{"arm", "fields", "points": [[...]], "seeds", "step",
                "values": {metric: [[value of each seed] of each point]},
                "diverged": [[[seed, step], ...] of each point]}],
     "diverged": {arm: [[seed, step], ...]},
     "judged": [{"arm", "name": a metric, or PROBE/LAYER[INDEX],
                 ["point": {field: value}], "seeds", "steps", "values"}]}

Values have six digits; null where one was not finite or not recorded. Of a
curve with many steps some are left out, never the first or the last; of a grid
there is the last step alone.

What rules look at is in `judged` whole, with all its digits, so that a run can
be judged again; but for what a grid as a whole gives, which follows from the
last value at every point.
"""

import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from bnjax.lab.results import names
from bnjax.lab.results.aggregate import Curve, is_time, spaced
from bnjax.lab.results.grids import Grid
from bnjax.lab.results.layers import profiles
from bnjax.lab.results.measured import Measured
from bnjax.lab.results.points import matches

# Numbers of all curves together: about a quarter of a megabyte.
_NUMBERS = 30_000
_STEPS = 60

_Row = dict[str, Any]


def thin(measured: Measured) -> dict[str, Any]:
  """What is kept of a run's metrics, strict JSON; times only if judged."""
  curves = [
    curve for (_, name), curve in measured.plain.items() if not is_time(name)
  ]
  lines = sum(len(curve.seeds) for curve in curves)
  steps = min(_STEPS, max(2, _NUMBERS // max(lines, 1)))
  return {
    "curves": [_thinned(curve, steps) for curve in curves],
    "grids": [_grid(grid) for grid in measured.grids.values()],
    "diverged": {
      arm: _pairs(runs) for arm, runs in measured.diverged.items() if runs
    },
    "judged": _judged(measured),
  }


class Thick(NamedTuple):
  """Rows such as those of a run's files.

  Attributes:
    rows: as of `metrics.jsonl`, thinned out.
    judged: likewise, of what rules look at, whole.
    probes: as of `probes.jsonl`, of what rules look at.
  """

  rows: list[_Row]
  judged: list[_Row]
  probes: list[_Row]


def thick(kept: Mapping[str, Any]) -> Thick:
  """Rows of what `thin` has kept.

  Raises:
    ValueError: it is not as `thin` makes it.
  """
  try:
    rows = [
      row | {curve["metric"]: value}
      for curve in kept["curves"]
      for row, value in _numbers(curve)
    ]
    rows += [row for grid in kept["grids"] for row in _rows_of_grid(grid)]
    rows += [
      {"arm": arm, "seed": seed, "step": step, "diverged_step": step}
      for arm, runs in kept.get("diverged", {}).items()
      for seed, step in runs
    ]
    return Thick(rows, *_judged_rows(kept.get("judged", ())))
  except (KeyError, TypeError, AttributeError):
    raise ValueError(
      "metrics.json is not as this version writes it: export the run again"
    ) from None


def _judged(measured: Measured) -> list[dict[str, Any]]:
  """The numbers that the rules of a run look at."""
  asked: dict[tuple[str, names.Metric | names.Probe], _Kept] = {}
  for arm, text, step in _asked(measured):
    name = names.parse_name(text)
    places: Iterable[tuple[Iterable[int], names.Name]] = [((), name)]
    if isinstance(name, names.AtBest):
      places = measured.at_best(arm, name)
    for seeds, at in places:
      for leaf in names.recorded(at):
        kept = asked.setdefault((arm, leaf), _Kept())
        kept.steps.add(step)
        kept.all_steps |= isinstance(at, names.StepsTo | names.OverSteps)
        kept.seeds.update(seeds)
        kept.all_seeds |= not seeds
  found: list[dict[str, Any]] = []
  for (arm, leaf), kept in asked.items():
    point = _point(measured, arm, leaf)
    curve = measured.find(arm, leaf)
    if curve is None or point is None:
      continue
    columns = [
      place
      for place, step in enumerate(curve.steps)
      if kept.all_steps or step in kept.steps
    ]
    rows = [
      place
      for place, seed in enumerate(curve.seeds)
      if kept.all_seeds or seed in kept.seeds
    ]
    what: dict[str, Any] = {"arm": arm, "name": leaf.metric}
    what |= {"point": point} if point else {}
    found += _whole(curve, rows, columns, what)
  return found


@dataclasses.dataclass
class _Kept:
  """Of which steps and seeds something is kept."""

  steps: set[int] = dataclasses.field(default_factory=set)
  seeds: set[int] = dataclasses.field(default_factory=set)
  all_steps: bool = False
  all_seeds: bool = False


def _asked(measured: Measured) -> Iterator[tuple[str, str, int]]:
  """The arm, metric and step of every number that a rule looks at."""
  rules = measured.rules
  for number in rules.numbers:
    for arm in (number.arm, number.relative_to):
      if arm is not None:
        yield arm, number.metric, number.step
        yield arm, number.metric, measured.final_step(arm, number.metric)
  for line in rules.curves:
    parts = ("data_loss", "l2_loss") if line.metric == "loss" else ()
    for metric in (line.metric, *parts):
      yield from ((line.arm, metric, step) for step in line.steps)
  for claim in rules.claims.values():
    sides = [(claim.arm, claim.metric)]
    if claim.versus_arm is not None:
      sides.append((claim.versus_arm, claim.versus_metric or claim.metric))
    for arm, metric in sides:
      last = measured.final_step(arm, metric)
      yield arm, metric, last if claim.step is None else claim.step
  for table in rules.tables.values():
    for profile in profiles(measured, table):
      for layer in profile.layers:
        yield profile.arm, f"{table.probe}/{layer}", profile.step


def _point(
  measured: Measured, arm: str, leaf: names.Metric | names.Probe
) -> dict[str, Any] | None:
  """The point of a grid that is meant; {} without a grid, None if unclear."""
  grid = measured.grids.get(arm)
  if grid is None:
    return {} if not leaf.point else None
  pairs = [tuple(zip(grid.fields, own, strict=True)) for own in grid.points]
  found = [own for own in pairs if leaf.point and matches(own, leaf.point)]
  return dict(found[0]) if len(found) == 1 else None


def _whole(
  curve: Curve,
  seeds: Sequence[int],
  columns: Sequence[int],
  what: Mapping[str, Any],
) -> Iterator[dict[str, Any]]:
  """Seeds together, or each by itself where their steps differ."""
  together = curve.present[np.ix_(seeds, columns)].all()
  for some in [seeds] if together else [[seed] for seed in seeds]:
    own = [c for c in columns if curve.present[some, c].all()]
    if own:
      yield {**what, **_numbers_of(curve, some, own, digits=17)}


def _thinned(curve: Curve, most: int) -> dict[str, Any]:
  what = {"arm": curve.arm, "metric": curve.metric}
  kept = spaced(len(curve.steps), most)
  return what | _numbers_of(curve, range(len(curve.seeds)), kept)


def _numbers_of(
  curve: Curve, rows: Sequence[int], columns: Any, digits: int = 6
) -> dict[str, Any]:
  """Some seeds and steps of a curve, which `_numbers` reads."""
  return {
    "seeds": [curve.seeds[row] for row in rows],
    "steps": [curve.steps[column] for column in columns],
    "values": _rounded(curve.values[np.ix_(rows, columns)], digits),
  }


def _numbers(one: Mapping[str, Any]) -> Iterator[tuple[_Row, float | None]]:
  """Each number, with the row that it belongs to."""
  common = {key: one[key] for key in ("arm", "point") if key in one}
  for seed, values in zip(one["seeds"], one["values"], strict=True):
    for step, value in zip(one["steps"], values, strict=True):
      yield common | {"seed": seed, "step": step}, value


def _judged_rows(kept: Iterable[Mapping[str, Any]]) -> tuple[list[_Row], ...]:
  """The rows of metrics, and those of probes, of what `_judged` kept."""
  rows: list[_Row] = []
  probes: dict[str, _Row] = {}
  numbers: dict[str, dict[tuple[int, ...], float | None]] = {}
  for one in kept:
    name = names.parse_name(one["name"])
    for row, value in _numbers(one):
      if isinstance(name, names.Probe):
        row |= {"probe": name.probe, "layer": name.layer}
        probes[str(row)] = row
        numbers.setdefault(str(row), {})[name.index] = value
      else:
        rows.append(row | {one["name"]: value})
  return rows, [
    row | {"values": _array(numbers[key])} for key, row in probes.items()
  ]


def _array(found: Mapping[tuple[int, ...], float | None]) -> Any:
  """Nested lists with numbers at their places; None where nothing is kept.

  >>> _array({(1,): 5.0}), _array({(): 5.0})
  ([None, 5.0], 5.0)
  """
  size = [max(places) + 1 for places in zip(*found, strict=True)]
  whole = np.full(size, None, object)
  for place, value in found.items():
    whole[place] = value
  return whole.tolist()


def _grid(grid: Grid) -> dict[str, Any]:
  stacks = {name: grid.stack(name) for name in grid.metrics}
  last = {name: found for name, found in stacks.items() if not is_time(name)}
  return {
    "arm": grid.arm,
    "fields": list(grid.fields),
    "points": [list(point) for point in grid.points],
    "seeds": list(grid.seeds),
    "step": max((found.steps[-1] for found in last.values()), default=0),
    "values": {
      name: _rounded(found.values[:, :, -1]) for name, found in last.items()
    },
    "diverged": [_pairs(runs) for runs in grid.diverged],
  }


def _rows_of_grid(grid: Mapping[str, Any]) -> Iterator[_Row]:
  diverged = grid.get("diverged") or [[]] * len(grid["points"])
  for place, values in enumerate(grid["points"]):
    point = dict(zip(grid["fields"], values, strict=True))
    common = {"arm": grid["arm"], "point": point}
    for column, seed in enumerate(grid["seeds"]):
      own = {name: found[place][column] for name, found in
             grid["values"].items()}  # fmt: skip
      yield common | {"seed": seed, "step": grid["step"]} | own
    for seed, step in diverged[place]:
      yield common | {"seed": seed, "step": step, "diverged_step": step}


def _pairs(runs: Mapping[int, int]) -> list[list[int]]:
  return [[seed, step] for seed, step in runs.items()]


def _rounded(values: np.ndarray, digits: int = 6) -> list[list[float | None]]:
  return [
    [
      float(f"{value:.{digits}g}") if np.isfinite(value) else None
      for value in row
    ]
    for row in values
  ]
