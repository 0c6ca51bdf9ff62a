"""What a summary says of a grid: every point, in columns.

    {"arm", "metric", "threshold", "step", "fields": [dotted field, ...],
     "points": [[value of each field], ...],
     "seeds": [how many at each point], "diverged": [how many of them],
     "metrics": {name: {"mean": [...], "std": [...]}}}

Means and standard deviations (divided by n) are over the finite values of a
point's seeds, at the last step; null without any.
"""

from typing import Any

import numpy as np

from bnjax.lab.results.grids import Grid


def grid_summary(grid: Grid) -> dict[str, Any]:
  """The summary of one arm's grid, strict JSON."""
  metrics, seeds, step = {}, [0] * len(grid.points), 0
  for name in grid.metrics:
    found = grid.stack(name)
    if not found.steps:
      continue
    values, present = found.values[:, :, -1], found.present[:, :, -1]
    step = max(step, found.steps[-1])
    seeds = np.maximum(seeds, present.sum(axis=1)).tolist()
    metrics[name] = _moments(np.where(present, values, np.nan))
  return {
    "arm": grid.arm,
    "metric": grid.metric,
    "threshold": grid.threshold,
    "step": step,
    "fields": list(grid.fields),
    "points": [list(point) for point in grid.points],
    "seeds": seeds,
    "diverged": [len(runs) for runs in grid.diverged],
    "metrics": metrics,
  }


def _moments(values: np.ndarray) -> dict[str, list[float | None]]:
  means, stds = [], []
  for row in values:
    finite = row[np.isfinite(row)]
    means.append(float(finite.mean()) if finite.size else None)
    stds.append(float(finite.std()) if finite.size > 1 else None)
  return {"mean": means, "std": stds}
