"""What an unfinished run lacks."""

from bnjax.lab.results.aggregate import Curve
from bnjax.lab.results.grids import Grid
from bnjax.lab.results.measured import Measured
from bnjax.lab.results.settings import setting


def missing_rows(measured: Measured) -> list[str]:
  """What an unfinished run lacks, one line an arm and kind.

  Args:
    measured: the records; their config says what there should be.

  Returns:
    The lines; none for a finished run.
  """
  notices = []
  for arm in measured.arms:
    if grid := measured.grids.get(arm):
      notices += _grid_lacks(grid, measured)
      continue
    own = [curve for (name, _), curve in measured.plain.items() if name == arm]
    if not own:
      notices.append(f"{arm}: nothing was recorded")
      continue
    curve = max(own, key=lambda curve: curve.last_step)
    wanted = setting(measured.config, arm, "seeds")
    if wanted and len(curve.seeds) < wanted:
      notices.append(f"{arm}: {len(curve.seeds)} of {wanted} seeds have rows")
    steps = measured.steps[arm]
    short = [
      f"seed {seed} stopped at step {reached}"
      for seed, reached in _stopped(curve, steps).items()
    ]
    if short:
      notices.append(f"{arm}: {', '.join(short)} of {steps}")
  return notices


def _stopped(curve: Curve, steps: int) -> dict[int, int]:
  """The seeds whose rows end early, and where."""
  ends = zip(curve.seeds, curve.reached, strict=True)
  return {seed: reached for seed, reached in ends if reached < steps}


def _grid_lacks(grid: Grid, measured: Measured) -> list[str]:
  notices, have = [], len(grid.points)
  if grid.missing:
    total = have + grid.missing
    notices.append(f"{grid.arm}: {have} of {total} points have rows")
  steps = measured.steps[grid.arm]
  wanted = setting(measured.config, grid.arm, "seeds") or 0
  few, short = 0, 0
  for own in grid.curves:
    curve = max(own.values(), key=lambda curve: curve.last_step)
    few += len(curve.seeds) < wanted
    short += len(_stopped(curve, steps))
  if few:
    notices.append(f"{grid.arm}: {few} points have less than {wanted} seeds")
  if short:
    notices.append(f"{grid.arm}: {short} runs stopped before step {steps}")
  return notices
