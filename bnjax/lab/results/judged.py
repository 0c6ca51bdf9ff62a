"""The numbers that rules use, kept in full so that a run can be judged again.

    [{"arm", "name": a metric, or PROBE/LAYER[INDEX], ["point": {field: value}],
      "seeds": [...], "steps": [...], "values": [[of each step] of each seed]}]

A metric of a grid as a whole is not among them: it follows from the last value
at every point, which `thin` keeps.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from bnjax.lab.results.aggregate import Curve
from bnjax.lab.results.layers import profiles
from bnjax.lab.results.measured import Measured
from bnjax.lab.results.names import (
  Distance,
  Extreme,
  Growth,
  Metric,
  Name,
  Probe,
  StepsTo,
  parse_name,
)
from bnjax.lab.results.points import matches

Row = dict[str, Any]
_Leaf = Metric | Probe


def judged(measured: Measured) -> list[dict[str, Any]]:
  """The numbers that the rules of a run look at, strict JSON."""
  steps: dict[tuple[str, _Leaf], set[int]] = {}
  whole: set[tuple[str, _Leaf]] = set()
  for arm, text, step in _asked(measured):
    name = parse_name(text)
    for leaf in _leaves(name):
      steps.setdefault((arm, leaf), set()).add(step)
      if isinstance(name, StepsTo | Extreme):
        whole.add((arm, leaf))
  found: list[dict[str, Any]] = []
  for (arm, leaf), at in steps.items():
    point = _point(measured, arm, leaf)
    curve = measured.find(arm, leaf)
    if curve is None or point is None:
      continue
    columns = [
      place
      for place, step in enumerate(curve.steps)
      if step in at or (arm, leaf) in whole
    ]
    found += _entries(curve, columns, leaf.metric, point)
  return found


def judged_rows(kept: Iterable[Mapping[str, Any]]) -> tuple[list[Row], ...]:
  """The rows of metrics, and those of probes, of what `judged` kept."""
  rows: list[Row] = []
  probes: dict[str, Row] = {}
  numbers: dict[str, dict[tuple[int, ...], float | None]] = {}
  for one in kept:
    name = parse_name(one["name"])
    point = {"point": one["point"]} if "point" in one else {}
    for seed, values in zip(one["seeds"], one["values"], strict=True):
      for step, value in zip(one["steps"], values, strict=True):
        row = {"arm": one["arm"], "seed": seed, "step": step, **point}
        if isinstance(name, Probe):
          row |= {"probe": name.probe, "layer": name.layer}
          probes[str(row)] = row
          numbers.setdefault(str(row), {})[name.index] = value
        else:
          rows.append(row | {one["name"]: value})
  return rows, [
    row | {"values": _array(numbers[key])} for key, row in probes.items()
  ]


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


def _leaves(name: Name) -> Sequence[_Leaf]:
  match name:
    case StepsTo() | Extreme() | Distance():
      return _leaves(name.of)
    case Growth():
      return name.layers
  return (name,)


def _point(measured: Measured, arm: str, leaf: _Leaf) -> dict[str, Any] | None:
  """The point of a grid that is meant; {} without a grid, None if unclear."""
  grid = measured.grids.get(arm)
  if grid is None:
    return {} if not leaf.point else None
  pairs = [tuple(zip(grid.fields, own, strict=True)) for own in grid.points]
  found = [own for own in pairs if leaf.point and matches(own, leaf.point)]
  return dict(found[0]) if len(found) == 1 else None


def _entries(
  curve: Curve, columns: Sequence[int], name: str, point: Mapping[str, Any]
) -> Iterator[dict[str, Any]]:
  """All seeds together, or each by itself where their steps differ."""
  present = curve.present[:, columns]
  seeds = np.arange(len(curve.seeds))
  for some in [seeds] if present.all() else seeds[:, None]:
    own = [c for c in columns if curve.present[some, c].all()]
    if not own:
      continue
    yield {
      "arm": curve.arm,
      "name": name,
      **({"point": dict(point)} if point else {}),
      "seeds": [curve.seeds[row] for row in some],
      "steps": [curve.steps[column] for column in own],
      "values": [
        [v if np.isfinite(v) else None for v in curve.values[row, own].tolist()]
        for row in some
      ],
    }


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
