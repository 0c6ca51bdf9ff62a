"""A metric over two fields: where networks train and where not."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from bnjax.lab.report.kinds.cells import (
  Map,
  Point,
  map_of,
  points_of,
  values_of,
)
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

_WIDE = 1000.0  # values that are further apart are shown by their logarithms


def heat_map(run: Run, options: figure_kinds.HeatMap) -> Figure | None:
  """Shows a panel an arm, or one of all; None if nothing has these fields."""
  rules = run.measured.rules
  metric = options.metric or rules.grid_metric
  fields = {options.x, options.y}
  found = {
    arm: points
    for arm in run.arms(options.arms)
    if (points := points_of(run, arm, metric, options))
  }
  if not found:
    return None
  grids = [run.measured.grids.get(arm) for arm in found]
  apart = all(grid and fields <= {*grid.fields} for grid in grids)
  if not apart:
    title = options.title or sentence(words(metric))
    found = {title: [point for own in found.values() for point in own]}
  every = [point for own in found.values() for point in own]
  xs, ys = values_of([p.x for p in every]), values_of([p.y for p in every])
  threshold = options.threshold
  if threshold is None and any(grids) and metric == rules.grid_metric:
    threshold = rules.grid_threshold
  maps = [
    map_of(name, own, xs, ys, metric, threshold) for name, own in found.items()
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


def _steps(maps: Sequence[Map], points: Sequence[Point]) -> str:
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
  own: Map,
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
