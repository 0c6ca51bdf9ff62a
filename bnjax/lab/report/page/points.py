"""Every point of a run's grids, for parallel coordinates and their curves."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from bnjax.lab.report.on_page import short
from bnjax.lab.report.render import NONE
from bnjax.lab.report.run import Run
from bnjax.lab.report.style import BLUE, FRAME, PAGE, SOFT, looks
from bnjax.lab.report.wording import STEPS, number_text, sentence
from bnjax.lab.results.aggregate import is_time, ranked_names, spaced
from bnjax.lab.results.grids import Grid
from bnjax.lab.results.names import is_fraction, words
from bnjax.lab.results.points import by_size, is_number, short_names

Json = dict[str, Any]

_POINTS = 2000
_NUMBERS = 60_000  # of all curves of a metric
_STEPS = 60
_FEW = 8  # values of a field that are a group each
_TICKS = 12
_WIDE = 30.0  # values that are further apart have a logarithmic axis


def points(run: Run) -> Json | None:
  """Settings, metrics over seeds and curves, a row a point; None without.

  An arm is a field like those of the grid. Of very many points there are some,
  evenly spaced; a metric is the mean over its finite seeds.
  """
  grids = list(run.measured.grids.values())
  names = ranked_names({
    metric for grid in grids for metric in grid.metrics if not is_time(metric)
  })  # fmt: skip
  if not names:
    return None
  names.sort(key=lambda name: name != grids[0].metric)
  every = [(grid, place) for grid in grids for place in range(len(grid.points))]
  rows = [every[place] for place in spaced(len(every), _POINTS)]
  fields = dict.fromkeys(field for grid in grids for field in grid.fields)
  shorts = short_names(field.removesuffix(".name") for field in fields)
  found = []
  for field, name in zip(fields, shorts.values(), strict=True):
    values = [
      dict(zip(grid.fields, grid.points[place], strict=True)).get(field)
      for grid, place in rows
    ]
    found.append(_field(name.replace("_", " "), values))
  if len(grids) > 1:
    arms = _field("arm", [grid.arm for grid, _ in rows])
    arms["colors"] = [run.looks[arm].color for arm in arms["groups"]]
    found.insert(0, arms | {"arm": True})
  return {
    "of": len(every),
    "steps": STEPS,
    "color": BLUE,
    "soft": SOFT,
    "faint": FRAME,
    "page": PAGE,
    "fields": found,
    "metrics": [_metric(name, grids, rows) for name in names],
  }


def _field(name: str, values: Sequence[Any]) -> Json:
  """An axis of a field, and the groups that its values are of."""
  says = list(map(_text, values))
  once = sorted(dict.fromkeys(values), key=by_size)
  numbers = all(map(is_number, once))
  if numbers:
    at, axis = _axis(values)
  else:
    places = {value: place for place, value in enumerate(once)}
    at = [places[value] for value in values]
    axis = {"range": [0, len(once) - 1]}
  few = dict(zip(values, at, strict=True))
  if not numbers or len(once) <= _TICKS:
    axis["ticks"] = [few[value] for value in once]
    axis["texts"] = list(map(_text, once))
  if numbers and len(once) > _FEW:
    quarters = np.array_split(np.array(once, object), 4)
    ends = [(own[0], own[-1]) for own in quarters]
    groups = [" to ".join(number_text(x, 3) for x in own) for own in ends]
    group = [next(i for i, own in enumerate(ends) if value <= own[1])
             for value in values]  # fmt: skip
  else:
    groups = list(map(_text, once))
    group = [once.index(value) for value in values]
  colors = [look.color for look in looks(map(str, range(len(groups)))).values()]
  return {"name": name, "at": at, "says": says, "group": group,
          "groups": groups, "colors": colors, **axis}  # fmt: skip


def _text(value: Any) -> str:
  """A value, or that a point does not set the field."""
  return NONE if value is None else number_text(value, 4)


def _metric(name: str, grids: Sequence[Grid], rows: Sequence[Any]) -> Json:
  """An axis of a metric at the last step, and its curves."""
  stacks = {grid.arm: grid.stack(name) for grid in grids}
  steps = sorted({step for own in stacks.values() for step in own.steps})
  curves = np.full((len(rows), len(steps)), np.nan)
  for line, (grid, place) in enumerate(rows):
    own = stacks[grid.arm]
    if own.steps:
      values = np.ma.masked_invalid(own.values[place]).mean(axis=0)
      columns = np.searchsorted(steps, own.steps)
      curves[line, columns] = values.filled(np.nan)
  last = curves[:, -1]
  at, axis = _axis(last, linear=is_fraction(name))
  kept = spaced(len(steps), min(_STEPS, max(2, _NUMBERS // len(rows))))
  return {
    "name": sentence(words(name)),
    "at": at,
    "last": short(last),
    "steps": [steps[place] for place in kept],
    "curves": short(curves[:, kept], 4),
    "log": not (is_fraction(name) or (curves <= 0).any()),
    **axis,
  }  # fmt: skip


def _axis(values: Any, *, linear: bool = False) -> tuple[list[Any], Json]:
  """Where numbers are on an axis, its range and its ticks."""
  numbers = np.array(values, np.float64)
  finite = numbers[np.isfinite(numbers)]
  if not finite.size:
    return short(numbers), {"range": [0, 1], "ticks": [], "texts": []}
  low, high = float(finite.min()), float(finite.max())
  if linear or low <= 0 or high < _WIDE * low:
    ticks = np.unique(np.linspace(low, high, 5))
    texts = [number_text(float(tick)) for tick in ticks]
    at, ends = numbers, [low, high]
  else:
    with np.errstate(divide="ignore", invalid="ignore"):
      at = np.log10(numbers)
    ends = [math.log10(low), math.log10(high)]
    every = max(1, round((ends[1] - ends[0]) / 6))
    ticks = np.arange(math.ceil(ends[0]), math.floor(ends[1]) + 1.0, every)
    texts = [number_text(10.0 ** float(decade)) for decade in ticks]
  found = {"range": short(ends, 7), "ticks": short(ticks, 7), "texts": texts}
  return short(at, 7), found
