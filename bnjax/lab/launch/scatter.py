"""The figure of a sweep that is no grid: a panel a field, a dot a trial."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.axes import Axes

from bnjax.lab.launch.rows import Row
from bnjax.lab.report.drawing import (
  add_caption,
  log_axis,
  new_figure,
  number_text,
  plural,
  unit,
)
from bnjax.lab.report.style import METADATA, RC, TIGHT, WIDTH, Look, looks
from bnjax.lab.results.names import is_fraction
from bnjax.lab.results.points import is_number, short_names

_COLUMNS = 3


def draw(
  rows: Sequence[Row], fields: Sequence[str], metric: str, folder: Path
) -> list[Path]:
  """Draws the metric of every trial over each field it was swept over.

  Args:
    rows: of finished trials that have the metric.
    fields: dotted.
    metric: its last value.
    folder: gets sweep.png.

  Returns:
    The file.
  """
  colors = looks(row["arm"] for row in rows)
  names = short_names(fields)
  columns = min(len(fields), _COLUMNS)
  lines = -(-len(fields) // columns)
  folder.mkdir(parents=True, exist_ok=True)
  with matplotlib.rc_context(RC):
    figure = new_figure(0.6 + 2.3 * lines, WIDTH)
    grid = figure.subplots(lines, columns, squeeze=False, sharey=True).ravel()
    for axes, field in zip(grid, fields, strict=False):
      _panel(axes, rows, field, metric, colors)
      axes.set_xlabel(names[field].replace("_", " "), parse_math=False)
    for axes in grid[len(fields) :]:
      axes.set_axis_off()
    for axes in grid[::columns]:
      axes.set_ylabel(metric.replace("_", " "))
    lost = sum(not is_number(row[metric]) for row in rows)
    several = len(colors) > 1
    if several:
      marks = [
        matplotlib.lines.Line2D([], [], ls="", marker="o", ms=4, color=c.color)
        for c in colors.values()
      ]
      grid[0].legend(marks, list(colors), fontsize=7, frameon=False)
    add_caption(
      figure,
      [
        f"dot: one of {plural(len(rows), 'trial')}",
        unit(metric) if is_fraction(metric) else "",
        f"not shown: {lost} without a finite value" if lost else "",
      ],
    )
    path = folder / "sweep.png"
    figure.savefig(path, format="png", metadata=METADATA["png"], **TIGHT)
  return [path]


def _panel(
  axes: Axes,
  rows: Sequence[Row],
  field: str,
  metric: str,
  colors: dict[str, Look],
) -> None:
  own = [
    row for row in rows if field in row["point"] and is_number(row[metric])
  ]
  values: list[Any] = [row["point"][field] for row in own]
  named = list(dict.fromkeys(map(str, values)))
  numeric = all(map(is_number, values))
  x = values if numeric else [named.index(str(v)) for v in values]
  axes.scatter(
    x,
    [row[metric] for row in own],
    s=12,
    c=[colors[row["arm"]].color for row in own],
    alpha=0.75,
    linewidth=0,
  )
  numbers = [row[metric] for row in own]
  if not is_fraction(metric) and numbers and min(numbers) > 0:
    axes.set_yscale("log")
    log_axis(axes.yaxis, *axes.get_ylim())
  if not numeric:
    axes.set_xticks(range(len(named)), [number_text(n) for n in named])
  elif values and min(values) > 0 and max(values) >= 10 * min(values):
    axes.set_xscale("log")
    low, high = axes.get_xlim()
    if math.isfinite(low):
      log_axis(axes.xaxis, low, high)
