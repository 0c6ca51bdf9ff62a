"""Metrics at every point of a grid, for maps with values on hover."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from bnjax.lab.report.drawing import Run, unit
from bnjax.lab.report.page.numbers import short, spaced
from bnjax.lab.results.aggregate import is_time
from bnjax.lab.results.figure_kinds import Figure, HeatMap
from bnjax.lab.results.grids import Grid
from bnjax.lab.results.names import is_fraction, words
from bnjax.lab.results.points import short_names

_NUMBERS = 150_000  # of all metrics and steps together


def grids(run: Run, figures: Mapping[str, Figure]) -> dict[str, Any] | None:
  """The grids of a run's arms; None without any of two fields or more."""
  arms = run.measured.arms
  found = {
    arm: grid
    for arm, grid in run.measured.grids.items()
    if len(grid.fields) > 1
  }
  if not found:
    return None
  maps = [own for own in figures.values() if isinstance(own, HeatMap)]
  first = next(iter(found.values()))
  wanted = maps[0] if maps else HeatMap(x=first.fields[0], y=first.fields[1])
  names = list(
    dict.fromkeys(
      metric
      for grid in found.values()
      for metric in grid.metrics
      if not is_time(metric)
    )
  )
  points = sum(len(grid.points) for grid in found.values())
  steps = max(1, _NUMBERS // max(1, points * len(names) * 2))
  threshold = wanted.threshold
  return {
    "x": wanted.x,
    "y": wanted.y,
    "metric": wanted.metric or first.metric,
    "threshold": first.threshold if threshold is None else threshold,
    "threshold_metric": first.metric,
    "low": wanted.low,
    "high": wanted.high,
    "title": wanted.title,
    "labels": short_names(first.fields)
    | ({wanted.x: wanted.x_label} if wanted.x_label else {})
    | ({wanted.y: wanted.y_label} if wanted.y_label else {}),
    "axes": {field: list(first.axis(field)) for field in first.fields},
    "metrics": {
      name: {
        "words": words(name),
        "unit": unit(name),
        "fraction": is_fraction(name),
      }
      for name in names
    },
    "arms": [
      {"arm": arms.index(arm), **_grid(grid, names, steps)}
      for arm, grid in found.items()
    ],
  }


def _grid(grid: Grid, names: list[str], most: int) -> dict[str, Any]:
  metrics = {}
  for name in names:
    stack = grid.stack(name)
    if not stack.steps:
      continue
    # From the end: the last step is there whatever else is.
    count = len(stack.steps)
    kept = spaced(count, most) if most > 1 else [count - 1]
    values = np.where(stack.present, stack.values, np.nan)[:, :, kept]
    finite = np.isfinite(values)
    some = finite.sum(axis=1)
    total = np.where(finite, values, 0).sum(axis=1)
    mean = np.where(some, total / np.maximum(some, 1), np.nan)
    apart = np.where(finite, values - mean[:, None], 0)
    std = np.sqrt((apart**2).sum(axis=1) / np.maximum(some, 1))
    metrics[name] = {
      "steps": [stack.steps[place] for place in kept],
      "mean": short(mean.T, 4),
      "std": short(np.where(some > 1, std, np.nan).T, 2),
    }
  return {
    "fields": list(grid.fields),
    "points": [list(point) for point in grid.points],
    "seeds": len(grid.seeds),
    "missing": grid.missing,
    "diverged": [len(runs) for runs in grid.diverged],
    "metrics": metrics,
  }
