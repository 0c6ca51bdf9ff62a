"""What a sweep found: its best trials as a table, and a figure."""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bnjax.lab.launch.rows import Row
from bnjax.lab.report import Table
from bnjax.lab.results import Field, Figure, HeatMap, Rules
from bnjax.lab.results.intervals import estimate
from bnjax.lab.results.points import point_of, short_names

_SHOWN = 10


def is_loss(metric: str) -> bool:
  """Whether less of a metric is better."""
  return metric.endswith(("loss", "norm", "seconds"))


def swept_fields(rows: Sequence[Row]) -> list[str]:
  """The fields of the rows' points, in order of appearance."""
  return list(dict.fromkeys(field for row in rows for field in row["point"]))


def settings(
  rows: Sequence[Row], metric: str
) -> list[tuple[str, Mapping[str, Any], np.ndarray, int]]:
  """Arm, point, the seeds' values and how many diverged; the best one first.

  Args:
    rows: of finished trials.
    metric: its last value is a trial's; a trial without a finite one counts as
      the worst there is.
  """
  together: dict[Any, list[Row]] = {}
  for row in rows:
    if metric in row:
      together.setdefault((row["arm"], point_of(row)), []).append(row)
  found = []
  for (arm, point), own in together.items():
    values = [row[metric] for row in own]
    numbers = np.array([math.nan if v is None else v for v in values], float)
    diverged = sum(row.get("diverged_step") is not None for row in own)
    found.append((arm, dict(point), numbers, diverged))
  sign = 1 if is_loss(metric) else -1

  def rank(setting: Any) -> float:
    mean = float(setting[2].mean())
    return sign * mean if math.isfinite(mean) else math.inf

  return sorted(found, key=rank)


def best_table(rows: Sequence[Row], metric: str) -> Table | None:
  """The best settings; None where no trial has the metric."""
  ranked = settings(rows, metric)
  if not ranked:
    return None
  fields = swept_fields(rows)
  names = short_names(fields)
  cells = []
  for arm, point, values, diverged in ranked[:_SHOWN]:
    ours = estimate(values)
    mean = "none" if ours.mean is None else f"{ours.mean:.4g}"
    spread = f" ± {ours.std:.2g}" if ours.std is not None else ""
    own = [_text(point[f]) if f in point else "" for f in fields]
    cells.append((arm, *own, mean + spread, str(len(values)), str(diverged)))
  columns = ("arm", *(names[f] for f in fields), metric, "seeds", "diverged")
  more = len(ranked) - len(cells)
  notes = (f"and {more} more settings",) if more else ()
  which = "least" if is_loss(metric) else "most"
  title = f"Best settings: {which} {metric.replace('_', ' ')}"
  return Table(title, columns, tuple(cells), notes)


def draw(
  rows: Sequence[Row], config: Mapping[str, Any], rules: Rules, folder: Path
) -> list[Path]:
  """Draws the rules' `grid_metric` over what was swept.

  One field: a line an arm. Two whose every combination was tried: a heat map
  an arm. Otherwise a panel a field with a dot a trial.

  Args:
    rows: of finished trials.
    config: the sweep's.
    rules: they say what is drawn.
    folder: where the figures go.

  Returns:
    The files; none where nothing can be drawn.
  """
  from bnjax.lab.launch import scatter
  from bnjax.lab.report import figures

  metric = rules.grid_metric
  shown = [row for row in rows if metric in row]
  fields = swept_fields(shown)
  if not shown or not fields:
    return []
  kind = _kind(shown, fields, metric)
  if kind is None:
    return scatter.draw(shown, fields, metric, folder)
  whole = {**config, "grid": _axes(shown, fields)}
  shown_rules = dataclasses.replace(rules, figures={"sweep": kind})
  used = [{k: v for k, v in row.items() if k != "trial"} for row in shown]
  return figures.draw_figures(whole, {}, used, folder, rules=shown_rules)


def _kind(
  rows: Sequence[Row], fields: Sequence[str], metric: str
) -> Figure | None:
  """The figure of a run that shows the rows; None if none does."""
  axes = _axes(rows, fields)
  steps = {row["step"] for row in rows}
  if len(steps) > 1 or is_loss(metric):
    return None
  if len(fields) == 1:
    (values,) = axes.values()
    numeric = all(isinstance(v, int | float) for v in values)
    log = numeric and min(values) > 0 and max(values) >= 10 * min(values)
    return Field(x=fields[0], metrics=(metric,), log_x=log)
  every = {point_of(row) for row in rows}
  if len(fields) == 2 and len(every) == math.prod(map(len, axes.values())):
    return HeatMap(x=fields[0], y=fields[1])
  return None


def _axes(rows: Sequence[Row], fields: Sequence[str]) -> dict[str, list[Any]]:
  return {
    field: list(
      dict.fromkeys(
        row["point"][field] for row in rows if field in row["point"]
      )
    )
    for field in fields
  }


def _text(value: Any) -> str:
  return f"{value:.4g}" if isinstance(value, float) else str(value)
