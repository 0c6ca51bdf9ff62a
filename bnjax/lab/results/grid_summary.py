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
from bnjax.lab.results.intervals import estimate


def grid_summary(grid: Grid) -> dict[str, Any]:
  """The summary of one arm's grid, strict JSON."""
  metrics, seeds, step = {}, [0] * len(grid.points), 0
  for name in grid.metrics:
    found = grid.stack(name)
    if not found.steps:
      continue
    step = max(step, found.steps[-1])
    seeds = np.maximum(seeds, found.present[:, :, -1].sum(axis=1)).tolist()
    over = [estimate(values) for values in found.values[:, :, -1]]
    metrics[name] = {
      "mean": [own.mean for own in over],
      "std": [own.std for own in over],
    }
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
