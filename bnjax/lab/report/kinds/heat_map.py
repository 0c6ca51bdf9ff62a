"""A metric over two fields: where networks train and where not."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from bnjax.lab.report.marks import Axis, Cells, Figure, Line, Panel
from bnjax.lab.report.run import Run
from bnjax.lab.report.style import VERMILION
from bnjax.lab.report.wording import (
  field_name,
  number_text,
  plural,
  sentence,
  unit,
)
from bnjax.lab.results import figure_kinds
from bnjax.lab.results.names import is_fraction, words
from bnjax.lab.results.points import common_ratio, is_number
from bnjax.lab.results.settings import setting

_WIDE = 1000.0  # values that are further apart are shown by their logarithms


class _Point(NamedTuple):
  """What an arm has at a point, or without a grid."""

  x: Any
  y: Any
  values: np.ndarray  # [seeds]; NaN where not finite or not recorded
  recorded: int  # how many seeds have a value, finite or not
  lost: int  # how many diverged
  step: int


class _Map(NamedTuple):
  """One panel's cells [y, x], each the best of whatever else was varied.

  Attributes:
    name: of the arm, or of all of them together.
    mean: over finite seeds; NaN without any.
    std: likewise, divided by n.
    diverged: share of the runs that diverged.
    trained: share of all runs that reach the threshold.
    seeds: how many each cell has.
    best_of: how many settings of other fields each cell is the best of.
    step: the training step.
  """

  name: str
  mean: np.ndarray
  std: np.ndarray
  diverged: np.ndarray
  trained: float
  seeds: int
  best_of: int
  step: int


def heat_map(run: Run, options: figure_kinds.HeatMap) -> Figure | None:
  """Shows a panel an arm, or one of all; None if nothing has these fields."""
  rules = run.measured.rules
  metric = options.metric or rules.grid_metric
  fields = {options.x, options.y}
  found = {
    arm: points
    for arm in run.arms(options.arms)
    if (points := _points(run, arm, metric, options))
  }
  if not found:
    return None
  grids = [run.measured.grids.get(arm) for arm in found]
  apart = all(grid and fields <= {*grid.fields} for grid in grids)
  if not apart:
    title = options.title or sentence(words(metric))
    found = {title: [point for own in found.values() for point in own]}
  every = [point for own in found.values() for point in own]
  xs, ys = _values([p.x for p in every]), _values([p.y for p in every])
  threshold = options.threshold
  if threshold is None and any(grids) and metric == rules.grid_metric:
    threshold = rules.grid_threshold
  maps = [
    _map(name, own, xs, ys, metric, threshold) for name, own in found.items()
  ]
  values = np.concatenate([own.mean.ravel() for own in maps])
  values = values[np.isfinite(values)]
  log = bool(
    not is_fraction(metric)
    and values.size
    and values.max() > _WIDE * values.min() > 0
  )
  if log:
    values = np.log10(values)
  low, high = _limits(metric, values, options)
  x = _axis(options.x_label, options.x, xs)
  y = _axis(options.y_label, options.y, ys)
  measure = unit(metric)
  name = words(metric)
  label = f"{name} ({measure})" if measure not in ("", name) else name
  panels = [
    Panel(
      [
        Cells(
          own.name,
          np.log10(own.mean) if log else own.mean,
          low=low,
          high=high,
          threshold=threshold,
          crosses=own.diverged,
          says=_says(own, xs, ys, options, name),
          label="logarithm (base 10) of " * log + label,
        ),
        *_lines(xs, ys, options),
      ],
      x,
      y,
      title=own.name,
      note=f"{own.trained:.0%} train" if threshold is not None else "",
    )
    for own in maps
  ]
  best = max(own.best_of for own in maps)
  caption = [
    f"mean of {plural(max(own.seeds for own in maps), 'seed')} after "
    f"{_steps(maps, every)}",
    f"best of {best} settings in each cell" if best > 1 else "",
    f"white line: {threshold:g}" if threshold is not None else "",
    "dashed: " + ", ".join(options.lines) if options.lines else "",
    "cross: diverged, the larger the more runs"
    if any(own.diverged.any() for own in maps)
    else "",
    "grey: no finite value"
    if any(np.isnan(own.mean).any() for own in maps)
    else "",
  ]
  count = len(panels)
  return Figure(
    panels,
    title=options.title if apart else "",
    caption=caption,
    columns=min(count if count <= 3 else -(-count // 2), 4),
    height=0.0 if apart else 3.2,
    share="xy",
  )


def _points(
  run: Run, arm: str, metric: str, options: figure_kinds.HeatMap
) -> list[_Point]:
  """An arm at every point of the grid; fields that this lacks are its own."""
  config, step = run.measured.config, options.step
  x, y = (
    setting(config, arm, *field.split(".")) for field in (options.x, options.y)
  )
  grid = run.measured.grids.get(arm)
  if grid is None:
    curve = run.measured.plain.get((arm, metric))
    if curve is None or None in (x, y):
      return []
    at = curve.last_step if step is None else step
    if at not in curve.steps:
      return []
    column = curve.steps.index(at)
    values, there = curve.values[:, column], curve.present[:, column]
    lost = len(run.measured.diverged.get(arm, {}))
    return [_Point(x, y, values, int(there.sum()), lost, at)]
  whole = grid.stack(metric)
  if not whole.steps or (step is not None and step not in whole.steps):
    return []
  column = -1 if step is None else whole.steps.index(step)
  found = []
  for place, values in enumerate(grid.points):
    own = dict(zip(grid.fields, values, strict=True))
    at = own.get(options.x, x), own.get(options.y, y)
    if None in at:
      return []
    found.append(
      _Point(
        *at,
        whole.values[place, :, column],
        int(whole.present[place, :, column].sum()),
        len(grid.diverged[place]),
        whole.steps[column],
      )
    )
  return found


def _values(found: Sequence[Any]) -> list[Any]:
  """The values of a field, sorted where they are numbers."""
  values = list(dict.fromkeys(found))
  return sorted(values) if all(map(is_number, values)) else values


def _map(
  name: str,
  points: Sequence[_Point],
  xs: Sequence[Any],
  ys: Sequence[Any],
  metric: str,
  threshold: float | None,
) -> _Map:
  cells = np.full((3, len(ys), len(xs)), np.nan)
  cells[2] = 0
  number = np.zeros((len(ys), len(xs)), int)
  sign = -1 if metric.endswith("loss") else 1
  for point in points:
    cell = ys.index(point.y), xs.index(point.x)
    number[cell] += 1
    finite = point.values[np.isfinite(point.values)]
    mean = finite.mean() if finite.size else np.nan
    std = finite.std() if finite.size else np.nan
    # The best of what else was varied; a NaN only where nothing is better.
    old = cells[(0, *cell)]
    if np.isnan(old) or sign * mean > sign * old:
      share = point.lost / max(point.recorded, 1)
      cells[(slice(None), *cell)] = mean, std, share
  level = np.inf if threshold is None else threshold
  reached = sum((point.values >= level).sum() for point in points)
  return _Map(
    name,
    *cells,
    float(reached / max(sum(point.recorded for point in points), 1)),
    max(point.recorded for point in points),
    int(number.max()),
    max(point.step for point in points),
  )


def _steps(maps: Sequence[_Map], points: Sequence[_Point]) -> str:
  """How long what is shown was trained; of arms of several lengths, both."""
  steps = {point.step for point in points}
  if len(maps) > 1 or len(steps) == 1:
    return plural(max(steps), "step")
  return f"{min(steps):,} to {plural(max(steps), 'step')}"


def _lines(
  xs: Sequence[Any], ys: Sequence[Any], options: figure_kinds.HeatMap
) -> list[Line]:
  """Lines over the cells, dashed, by the places of the axes' values."""
  return [
    Line(
      name,
      VERMILION,
      _places(xs, [x for x, _ in points]),
      _places(ys, [y for _, y in points]),
      dashed=True,
      width=2.0,
    )
    for name, points in options.lines.items()
  ]


def _places(values: Sequence[Any], wanted: Sequence[float]) -> np.ndarray:
  """Where numbers lie among an axis's cells; beyond all NaN.

  Between two cells they lie as their logarithms do, where all are positive,
  and half a cell further out as the outermost two cells have it.
  """
  if len(values) < 2 or not all(map(is_number, values)):
    return np.full(len(wanted), np.nan)
  log = min(values) > 0 and min(wanted) > 0
  own, at = (
    np.log(v) if log else np.asarray(v, float) for v in (values, wanted)
  )
  first, last = (own[0] - own[1]) / 2, (own[-1] - own[-2]) / 2
  ends = np.r_[own[0] + first, own, own[-1] + last]
  places = np.r_[-0.5, np.arange(len(own)), len(own) - 0.5]
  return np.interp(at, ends, places, left=np.nan, right=np.nan)


def _limits(
  metric: str, values: np.ndarray, options: figure_kinds.HeatMap
) -> tuple[float, float]:
  least, most = (0.0, 1.0) if not values.size else (values.min(), values.max())
  if is_fraction(metric):
    least, most = 0.0, 1.0
  low = float(least if options.low is None else options.low)
  high = float(most if options.high is None else options.high)
  return low, high if high > low else low + 1.0


def _axis(label: str, field: str, values: Sequence[Any]) -> Axis:
  """Cells of one size: of values in equal ratios that is logarithmic."""
  even = " (logarithmic)" if common_ratio(values) else ""
  return Axis(
    label=label or field_name(field) + even,
    names=[number_text(value, 2) for value in values],
    low=-0.5,
    high=len(values) - 0.5,
  )


def _says(
  own: _Map,
  xs: Sequence[Any],
  ys: Sequence[Any],
  options: figure_kinds.HeatMap,
  name: str,
) -> list[list[str]]:
  def text(y: int, x: int) -> str:
    mean, lost = own.mean[y, x], own.diverged[y, x]
    value = f"{mean:.4g}" if np.isfinite(mean) else "no finite value"
    spread = f" ± {own.std[y, x]:.2g}" if own.seeds > 1 and mean == mean else ""
    lines = [
      f"{field_name(options.x)}: {number_text(xs[x])}",
      f"{field_name(options.y)}: {number_text(ys[y])}",
      f"{name}: {value}{spread}",
    ]
    return "\n".join([*lines, *([f"diverged: {lost:.0%}"] if lost else [])])

  return [[text(y, x) for x in range(len(xs))] for y in range(len(ys))]
