"""Metrics over a field: learning rates of a grid, batch sizes of the arms."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib import ticker
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bnjax.lab.report.drawing import (
  Run,
  add_caption,
  add_title,
  limit_y,
  log_axis,
  new_figure,
  number_text,
  plural,
  unit,
)
from bnjax.lab.report.labels import Label, label_lines
from bnjax.lab.report.style import Look, looks
from bnjax.lab.results.figure_kinds import Field
from bnjax.lab.results.grids import Grid
from bnjax.lab.results.measured import Values
from bnjax.lab.results.names import is_fraction, words
from bnjax.lab.results.points import is_number
from bnjax.lab.results.settings import setting


class Line(NamedTuple):
  """One line: its name and look, and the seeds' values at each x."""

  name: str
  look: Look
  x: list[Any]
  values: list[Values]


def draw(run: Run, options: Field) -> Figure | None:
  """Draws the metrics over the field; None if nothing has them."""
  found = panels(run, options)
  return _draw(found, run, options) if found else None


def panels(run: Run, options: Field) -> list[tuple[str, str, list[Line]]]:
  """What there is to draw: a title, a metric and lines for each panel."""
  arms = run.arms(options.arms)
  grids = [run.measured.grids[a] for a in arms if a in run.measured.grids]
  steps: Sequence[int | None] = options.steps or [None]
  found: list[tuple[str, str, list[Line]]] = []
  for step in steps:
    after = f" after {step:,} steps" if step is not None else ""
    if _is_of_grid(run, options):
      for metric in options.metrics:
        lines = [_of_grid(run, grid, metric, step, options) for grid in grids]
        found.append((words(metric) + after, metric, lines))
    else:
      lines = _of_arms(run, arms, step, options)
      several = len(options.metrics) > 1 and after
      title = after.strip() if several else words(options.metrics[0]) + after
      found.append((title, options.metrics[0], lines))
  found = [
    (title, metric, [line for line in lines if line.x])
    for title, metric, lines in found
  ]
  return [panel for panel in found if panel[2]]


def _is_of_grid(run: Run, options: Field) -> bool:
  """Whether the field is one that a grid varies."""
  grids = [run.measured.grids.get(arm) for arm in run.arms(options.arms)]
  return any(grid and options.x in grid.fields for grid in grids)


def _of_grid(
  run: Run, grid: Grid, metric: str, step: int | None, options: Field
) -> Line:
  """An arm's line: at each value, the best of the other fields' values."""
  line = Line(grid.arm, run.looks[grid.arm], [], [])
  at = run.measured.steps[grid.arm] if step is None else step
  if options.x not in grid.fields:
    return line
  place = grid.fields.index(options.x)
  for value in grid.axis(options.x):
    found = [
      curve
      for point, own in zip(grid.points, grid.curves, strict=True)
      if point[place] == value and (curve := own.get(metric)) and curve.at(at)
    ]
    if found:
      best = max(found, key=lambda curve: _mean(curve.at(at)))
      line.x.append(value)
      line.values.append(Values(best.at(at), best.bounds_at(at), at, False))
  return line


def _mean(numbers: dict[int, float]) -> float:
  finite = [number for number in numbers.values() if np.isfinite(number)]
  return sum(finite) / len(finite) if finite else -np.inf


def _of_arms(
  run: Run, arms: Sequence[str], step: int | None, options: Field
) -> list[Line]:
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
  lines = []
  for (group, metric), name in names.items():
    line = Line(name, seen[name], [], [])
    found = []
    for arm in groups[group]:
      x = setting(run.measured.config, arm, *options.x.split("."))
      values = run.measured.values(arm, metric, step)
      if x is not None and values.numbers:
        found.append((x, values))
    numeric = all(is_number(x) for x, _ in found)
    for x, values in sorted(found, key=lambda f: f[0]) if numeric else found:
      line.x.append(x)
      line.values.append(values)
    lines.append(line)
  return lines


def _draw(
  found: Sequence[tuple[str, str, list[Line]]],
  run: Run,
  options: Field,
) -> Figure:
  figure = new_figure(0.7 + (2.7 if len(found) == 1 else 2.2 * len(found)))
  grid = figure.subplots(len(found), 1, squeeze=False, sharex=True)[:, 0]
  every = list(
    dict.fromkeys(x for _, _, lines in found for line in lines for x in line.x)
  )
  numeric = all(is_number(x) for x in every)
  place = (
    (lambda x: x)
    if numeric
    else {x: i for i, x in enumerate(every)}.__getitem__
  )
  labelled = []
  for axes, (title, metric, lines) in zip(grid, found, strict=True):
    labels = []
    for line in lines:
      x = [place(value) for value in line.x]
      labels += _draw_line(axes, x, line)
    axes.set_title(title[:1].upper() + title[1:], parse_math=False)
    axes.set_ylabel(unit(metric))
    _scale_y(axes, metric, options)
    labelled.append((axes, labels))
  _scale_x(grid[-1], every, numeric, options)
  text = options.label or options.x.rpartition(".")[2].replace("_", " ")
  grid[-1].set_xlabel(text, parse_math=False)
  add_title(figure, options.title)
  values = [v for _, _, lines in found for line in lines for v in line.values]
  seeds = max(len(v.numbers) for v in values)
  others = _is_of_grid(run, options) and any(
    len(run.measured.grids[line.name].fields) > 1 for line in found[0][2]
  )
  add_caption(
    figure,
    [
      f"line: mean of {plural(seeds, 'seed')}",
      "band: smallest to largest" if seeds > 1 else "",
      "at the best value of the grid's other fields" if others else "",
    ],
  )
  label_lines(figure, labelled)
  return figure


def _draw_line(axes: Axes, x: Sequence[float], line: Line) -> list[Label]:
  rows = [np.array(list(values.numbers.values())) for values in line.values]
  finite = [row[np.isfinite(row)] for row in rows]
  mean = np.array([row.mean() if row.size else np.nan for row in finite])
  least = [row.min() if row.size else np.nan for row in finite]
  most = [row.max() if row.size else np.nan for row in finite]
  color = line.look.color
  axes.fill_between(x, least, most, color=color, alpha=0.18, linewidth=0)
  style = line.look.line(len(x)) | {"markevery": 1, "markersize": 4}
  axes.plot(x, mean, **(style | {"marker": line.look.mark or "o"}))
  known = mean[np.isfinite(mean)]
  return [Label(line.name, float(known[-1]), color)] if known.size else []


def _scale_y(axes: Axes, metric: str, options: Field) -> None:
  if options.log_y:
    axes.set_yscale("log")
    log_axis(axes.yaxis, *axes.get_ylim())
  elif is_fraction(metric) and options.low is None and options.high is None:
    low, high = axes.get_ylim()
    axes.set_ylim(0 if high - low > 0.4 else low, min(high, 1.02))
    return
  limit_y(axes, options.low, options.high)


def _scale_x(
  axes: Axes, every: Sequence[Any], numeric: bool, options: Field
) -> None:
  if not numeric:
    axes.set_xticks(range(len(every)))
    axes.set_xticklabels([str(x) for x in every], parse_math=False)
    return
  if options.log_x and min(every) > 0:
    axes.set_xscale("log")
  if len(every) <= 13:
    axes.xaxis.set_major_locator(ticker.FixedLocator(sorted(every)))
    axes.xaxis.set_major_formatter(
      ticker.FuncFormatter(lambda x, _: number_text(float(f"{x:.6g}")))
    )
    axes.xaxis.set_minor_locator(ticker.NullLocator())
    if sum(len(number_text(x)) for x in every) > 55:
      axes.tick_params(axis="x", labelrotation=45)
  elif options.log_x and min(every) > 0:
    log_axis(axes.xaxis, min(every), max(every))
