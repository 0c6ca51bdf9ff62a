"""The metrics of a run made small enough to keep beside its summary.

    {"curves": [{"arm", "metric", "seeds": [...], "steps": [...],
                 "values": [[value of each step] of each seed]}],
     "grids": [{"arm", "fields", "points": [[...]], "seeds", "step",
                "values": {metric: [[value of each seed] of each point]},
                "diverged": [[[seed, step], ...] of each point]}],
     "diverged": {arm: [[seed, step], ...]},
     "judged": see `judged`}

Values have six digits; null where one was not finite or not recorded. Of a
curve with many steps some are left out, never the first or the last; of a grid
there is the last step alone. What the rules look at is there whole.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from bnjax.lab.results.aggregate import Curve, is_time
from bnjax.lab.results.grids import Grid
from bnjax.lab.results.judged import judged, judged_rows
from bnjax.lab.results.measured import Measured

# Numbers of all curves together: about a quarter of a megabyte.
_NUMBERS = 30_000
_STEPS = 60


def thin(measured: Measured) -> dict[str, Any]:
  """What is kept of a run's metrics, strict JSON; times only if judged."""
  curves = [
    curve for (_, name), curve in measured.plain.items() if not is_time(name)
  ]
  lines = sum(len(curve.seeds) for curve in curves)
  steps = min(_STEPS, max(2, _NUMBERS // max(lines, 1)))
  return {
    "curves": [_curve(curve, steps) for curve in curves],
    "grids": [_grid(grid) for grid in measured.grids.values()],
    "diverged": {
      arm: _pairs(runs) for arm, runs in measured.diverged.items() if runs
    },
    "judged": judged(measured),
  }


class Thick(NamedTuple):
  """Rows such as those of a run's files.

  Attributes:
    rows: as of `metrics.jsonl`, thinned out.
    judged: likewise, of what rules look at, whole.
    probes: as of `probes.jsonl`, of what rules look at.
  """

  rows: list[dict[str, Any]]
  judged: list[dict[str, Any]]
  probes: list[dict[str, Any]]


def thick(kept: Mapping[str, Any]) -> Thick:
  """Rows of what `thin` has kept.

  Raises:
    ValueError: it is not as `thin` makes it.
  """
  try:
    rows = [
      {"arm": curve["arm"], "seed": seed, "step": step, curve["metric"]: value}
      for curve in kept["curves"]
      for seed, values in zip(curve["seeds"], curve["values"], strict=True)
      for step, value in zip(curve["steps"], values, strict=True)
    ]
    rows += [row for grid in kept["grids"] for row in _rows_of_grid(grid)]
    rows += [
      {"arm": arm, "seed": seed, "step": step, "diverged_step": step}
      for arm, runs in kept.get("diverged", {}).items()
      for seed, step in runs
    ]
    judged_metrics, probes = judged_rows(kept.get("judged", ()))
  except (KeyError, TypeError, AttributeError):
    raise ValueError(
      "metrics.json is not as this version writes it: export the run again"
    ) from None
  return Thick(rows, judged_metrics, probes)


def _rows_of_grid(grid: Mapping[str, Any]) -> list[dict[str, Any]]:
  rows = []
  diverged = grid.get("diverged") or [[]] * len(grid["points"])
  for place, values in enumerate(grid["points"]):
    point = dict(zip(grid["fields"], values, strict=True))
    common = {"arm": grid["arm"], "point": point}
    for column, seed in enumerate(grid["seeds"]):
      own = {name: found[place][column] for name, found in
             grid["values"].items()}  # fmt: skip
      rows.append(common | {"seed": seed, "step": grid["step"]} | own)
    rows += [
      common | {"seed": seed, "step": step, "diverged_step": step}
      for seed, step in diverged[place]
    ]
  return rows


def _pairs(runs: Mapping[int, int]) -> list[list[int]]:
  return [[seed, step] for seed, step in runs.items()]


def _curve(curve: Curve, most: int) -> dict[str, Any]:
  count = len(curve.steps)
  kept = np.unique(np.linspace(0, count - 1, min(count, most)).round())
  columns = kept.astype(int)
  return {
    "arm": curve.arm,
    "metric": curve.metric,
    "seeds": list(curve.seeds),
    "steps": [curve.steps[column] for column in columns],
    "values": _rounded(curve.values[:, columns]),
  }


def _grid(grid: Grid) -> dict[str, Any]:
  stacks = {name: grid.stack(name) for name in grid.metrics}
  last = {name: found for name, found in stacks.items() if not is_time(name)}
  return {
    "arm": grid.arm,
    "fields": list(grid.fields),
    "points": [list(point) for point in grid.points],
    "seeds": list(grid.seeds),
    "step": max((found.steps[-1] for found in last.values()), default=0),
    "values": {
      name: _rounded(found.values[:, :, -1]) for name, found in last.items()
    },
    "diverged": [_pairs(runs) for runs in grid.diverged],
  }


def _rounded(values: np.ndarray) -> list[list[float | None]]:
  return [
    [float(f"{value:.6g}") if np.isfinite(value) else None for value in row]
    for row in values
  ]
