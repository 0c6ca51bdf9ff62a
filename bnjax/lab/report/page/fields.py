"""Metrics over a field: learning rates of a grid, batch sizes of the arms."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from bnjax.lab.report.drawing import Run, unit
from bnjax.lab.report.kinds.field import Line, panels
from bnjax.lab.report.page.arms import colours
from bnjax.lab.report.page.numbers import short
from bnjax.lab.results.figure_kinds import Field, Figure
from bnjax.lab.results.names import is_fraction
from bnjax.lab.results.points import is_number


def fields(run: Run, figures: Mapping[str, Figure]) -> list[dict[str, Any]]:
  """A panel for each metric and step of the figures of this kind."""
  found = []
  for figure in figures.values():
    if not isinstance(figure, Field):
      continue
    for title, metric, lines in panels(run, figure):
      every = [x for line in lines for x in line.x]
      text = figure.label or figure.x.rpartition(".")[2].replace("_", " ")
      found.append(
        {
          "title": f"{figure.title}: {title}" if figure.title else title,
          "x": text,
          "numeric": all(map(is_number, every)),
          "log_x": figure.log_x and all(is_number(x) and x > 0 for x in every),
          "log_y": figure.log_y,
          "low": figure.low,
          "high": figure.high,
          "unit": unit(metric),
          "fraction": is_fraction(metric),
          "lines": [_line(line, run.measured.arms) for line in lines],
        }
      )
  return found


def _line(line: Line, arms: Sequence[str]) -> dict[str, Any]:
  rows = [np.array(list(values.numbers.values())) for values in line.values]
  return {
    "name": line.name,
    "arm": arms.index(line.name) if line.name in arms else None,
    **colours(line.look),
    "x": line.x,
    "seeds": [list(values.numbers) for values in line.values],
    "values": [short(row, 7) for row in rows],
  }
