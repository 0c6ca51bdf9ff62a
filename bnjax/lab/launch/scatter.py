"""The figure of a sweep that is no grid: a panel a field, a dot a trial."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from bnjax.lab.launch.rows import Row
from bnjax.lab.report import on_paper
from bnjax.lab.report.marks import Axis, Figure, Panel, Points
from bnjax.lab.report.style import looks
from bnjax.lab.report.wording import number_text, plural, unit
from bnjax.lab.results.names import is_fraction
from bnjax.lab.results.points import is_number, short_names


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
  folder.mkdir(parents=True, exist_ok=True)
  return on_paper.save(scatter(rows, fields, metric), folder, "sweep")


def scatter(rows: Sequence[Row], fields: Sequence[str], metric: str) -> Figure:
  """The metric of every trial over each field, as marks."""
  lost = sum(not is_number(row[metric]) for row in rows)
  return Figure(
    panels=[_panel(rows, field, short_names(fields)[field], metric)
            for field in fields],
    caption=[
      f"dot: one of {plural(len(rows), 'trial')}",
      unit(metric) if is_fraction(metric) else "",
      f"not shown: {lost} without a finite value" if lost else "",
    ],
    columns=min(len(fields), 3),
    least=1.8,
    share="y",
  )  # fmt: skip


def _panel(rows: Sequence[Row], field: str, name: str, metric: str) -> Panel:
  own = [
    row for row in rows if field in row["point"] and is_number(row[metric])
  ]
  values = [row["point"][field] for row in own]
  numeric = all(map(is_number, values))
  named = [] if numeric else list(dict.fromkeys(map(str, values)))
  x = values if numeric else [named.index(str(value)) for value in values]
  colors = looks(row["arm"] for row in rows)
  marks = []
  for arm, look in colors.items():
    places = [i for i, row in enumerate(own) if row["arm"] == arm]
    marks.append(
      Points(
        name=arm,
        color=look.color,
        x=np.array([x[i] for i in places], np.float64),
        y=np.array([own[i][metric] for i in places], np.float64),
        size=3.5,
        label=arm,
      )
    )
  numbers = [row[metric] for row in own]
  positive = numeric and bool(values) and min(values) > 0
  label = name.replace("_", " ")
  return Panel(
    marks=marks,
    x=Axis(
      label=label,
      log=positive and max(values) >= 10 * min(values),
      names=[number_text(text) for text in named],
    ),
    y=Axis(
      label=metric.replace("_", " "),
      log=not is_fraction(metric) and bool(numbers) and min(numbers) > 0,
    ),
  )
