"""Metrics over a field: learning rates of a grid, batch sizes of the arms."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from bnjax.lab.report.kinds.over_seeds import finite, mean_line, seeds_caption
from bnjax.lab.report.marks import Axis, Figure, Line, Panel, Points
from bnjax.lab.report.run import Run
from bnjax.lab.report.style import Look, looks
from bnjax.lab.report.wording import field_name, sentence, unit
from bnjax.lab.results import figure_kinds
from bnjax.lab.results.grids import Grid
from bnjax.lab.results.names import is_fraction, words
from bnjax.lab.results.points import is_number
from bnjax.lab.results.settings import setting


class _Row(NamedTuple):
  """What a line is made of: its name, and each seed's value at each x."""

  name: str
  look: Look
  numbers: Mapping[Any, Mapping[int, float]]
  published: Mapping[Any, float] = {}  # at each x of which there is a number


def field(run: Run, options: figure_kinds.Field) -> Figure | None:
  """Shows the metrics over the field; None if nothing has them."""
  arms = run.arms(options.arms)
  grids = [run.measured.grids[a] for a in arms if a in run.measured.grids]
  grids = [grid for grid in grids if options.x in grid.fields]
  found: list[tuple[str, str, list[_Row]]] = []
  for step in options.steps or (None,):
    after = f" after {step:,} steps" if step is not None else ""
    for metric in options.metrics if grids else ():
      rows = [_of_grid(run, grid, metric, step, options.x) for grid in grids]
      found.append((words(metric) + after, metric, rows))
    if not grids:
      metric = options.metrics[0]
      title = words(metric) + after
      if len(options.metrics) > 1 and after:
        title = after.strip()
      found.append((title, metric, _of_arms(run, arms, step, options)))
  found = [(t, m, [row for row in rows if row.numbers]) for t, m, rows in found]
  found = [panel for panel in found if panel[2]]
  if not found:
    return None
  rows = [row for _, _, rows in found for row in rows]
  every = list(dict.fromkeys(x for row in rows for x in row.numbers))
  numeric = all(map(is_number, every))
  x = _field_axis(every, numeric, options)
  panels = []
  for title, metric, own in found:
    lines = [_line(row, every, numeric) for row in own]
    y = _value_axis(metric, lines, options)
    dots = [_published(row) for row in own if row.published and numeric]
    panels.append(Panel([*lines, *dots], x, y, title=sentence(title)))
  others = any(len(grid.fields) > 1 for grid in grids)
  return Figure(
    panels,
    title=options.title,
    caption=[
      *seeds_caption(panels),
      "at the best value of the grid's other fields" if others else "",
      "diamond: published" if any(row.published for row in rows) else "",
    ],
    height=2.7 if len(panels) == 1 else 1.9,
  )


def _of_grid(
  run: Run, grid: Grid, metric: str, step: int | None, field: str
) -> _Row:
  """An arm's line: at each value, the best of the other fields' values."""
  at = run.measured.steps[grid.arm] if step is None else step
  place = grid.fields.index(field)
  sign = -1 if metric.endswith("loss") else 1
  numbers = {}
  for value in grid.axis(field):
    found = [
      curve.at(at)
      for number, point in enumerate(grid.points)
      if point[place] == value
      and (curve := grid.curve(number, metric))
      and curve.at(at)
    ]
    if found:
      numbers[value] = max(found, key=lambda own: _rank(own, sign))
  return _Row(grid.arm, run.looks[grid.arm], numbers)


def _rank(numbers: Mapping[int, float], sign: int) -> float:
  finite = [number for number in numbers.values() if np.isfinite(number)]
  return sign * sum(finite) / len(finite) if finite else -np.inf


def _of_arms(
  run: Run, arms: Sequence[str], step: int | None, options: figure_kinds.Field
) -> list[_Row]:
  """A line for each group of arms and metric, over what each arm has set."""
  groups = dict(options.groups) or {"": tuple(arms)}
  several = len(options.metrics) > 1
  names = {
    (group, metric): f"{group} {words(metric) if several else ''}".strip()
    or words(metric)
    for group in groups
    for metric in options.metrics
  }
  seen = looks(names.values())
  numbers = {
    (rule.arm, rule.metric): rule.mean
    for rule in run.measured.rules.numbers
    if rule.relative_to is None and step in (None, rule.step)
  }
  rows = []
  for (group, metric), name in names.items():
    found, published = [], {}
    for arm in groups[group]:
      x = setting(run.measured.config, arm, *options.x.split("."))
      values = run.measured.values(arm, metric, step)
      if x is not None and values.numbers:
        found.append((x, values.numbers))
        if (arm, metric) in numbers:
          published[x] = numbers[arm, metric]
    if all(is_number(x) for x, _ in found):
      found.sort(key=lambda pair: pair[0])
    rows.append(_Row(name, seen[name], dict(found), published))
  return rows


def _line(row: _Row, every: Sequence[Any], numeric: bool) -> Line:
  x = [own if numeric else every.index(own) for own in row.numbers]
  seeds = dict.fromkeys(s for own in row.numbers.values() for s in own)
  values = {
    seed: np.array([own.get(seed, np.nan) for own in row.numbers.values()])
    for seed in seeds
  }
  return mean_line(row.name, row.look, x, values, dots=True)


def _published(row: _Row) -> Points:
  x, y = np.array([*row.published.items()], float).T
  return Points(
    f"{row.name}, published", row.look.color, x, y, symbol="D", filled=False
  )


def _field_axis(
  every: Sequence[Any], numeric: bool, options: figure_kinds.Field
) -> Axis:
  label = options.label or field_name(options.x)
  if not numeric:
    return Axis(
      label=label, names=[str(x) for x in every], low=-0.4,
      high=len(every) - 0.6,
    )  # fmt: skip
  positive = min(every) > 0
  return Axis(
    label=label,
    log=options.log_x and positive,
    ticks=sorted(every) if len(every) <= 13 else (),
    switch=positive,
  )


def _value_axis(
  metric: str, lines: Sequence[Line], options: figure_kinds.Field
) -> Axis:
  """Fractions end at 1, and begin at 0 where they take much of that."""
  low, high = options.low, options.high
  values = finite(lines)
  free = low is None and high is None and not options.log_y
  if is_fraction(metric) and free and values.size:
    least, most = float(values.min()), float(values.max())
    room = 0.05 * (most - least) or 0.02
    low = 0.0 if most - least > 0.35 else max(0.0, least - room)
    high = min(most + room, 1.02)
  label = unit(metric)
  return Axis(label=label, log=options.log_y, low=low, high=high, switch=True)
