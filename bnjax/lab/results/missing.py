"""Notices about an unfinished run: arms, points, seeds and steps it lacks."""

from typing import Any

import pandas as pd

from bnjax.lab.results.measured import Measured
from bnjax.lab.results.rows import Table
from bnjax.lab.results.settings import setting


def missing_rows(measured: Measured) -> list[str]:
  """What an unfinished run lacks, one line an arm and kind."""
  notices = []
  runs = measured.rows.frame
  runs = dict(list(runs.groupby("arm", observed=True)))
  for arm in measured.arms:
    wanted = setting(measured.config, arm, "seeds") or 0
    steps = measured.steps[arm]
    grid = measured.grids.get(arm)
    if grid is not None:
      if grid.missing:
        have = len(grid.points)
        total = have + grid.missing
        notices.append(f"{arm}: {have} of {total} points have rows")
      last = _last_steps(grid.frame, grid.places)
      seeds = last.groupby(level=0).size()
      if few := int((seeds < wanted).sum()):
        notices.append(f"{arm}: {few} points have less than {wanted} seeds")
      if stopped := int((last < steps).sum()):
        notices.append(f"{arm}: {stopped} runs stopped before step {steps}")
      continue
    if not any(name == arm for name, _ in measured.plain):
      notices.append(f"{arm}: nothing was recorded")
      continue
    last = _last_steps(runs[arm], runs[arm]["arm"]).droplevel(0)
    if len(last) < wanted:
      notices.append(f"{arm}: {len(last)} of {wanted} seeds have rows")
    short = [
      f"seed {seed} stopped at step {step}"
      for seed, step in last.items()
      if step < steps
    ]
    if short:
      notices.append(f"{arm}: {', '.join(short)} of {steps}")
  return notices


def _last_steps(frame: pd.DataFrame, of: Any) -> "pd.Series[int]":
  """The last step at which each run recorded any metric; 0 for none.

  A run is told apart by its seed and by what `of` says of its rows.
  """
  some = frame[Table(frame).metrics].notna().any(axis="columns")
  steps = frame["step"].where(some, 0)
  return steps.groupby([of, frame["seed"]], observed=True).max()
