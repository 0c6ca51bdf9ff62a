"""Sweeps: many settings of one experiment, trained together where they can.

A trial is one network: an arm of the config, at a point of the sweep, with a
seed. Trials whose shapes agree are vectorized in one compiled program, by
`bnjax.experiment`, in groups sized to the config's `memory_gb`.
"""

from bnjax.sweep.board import Board
from bnjax.sweep.local import Local
from bnjax.sweep.outcome import best_table, draw
from bnjax.sweep.points import read_points
from bnjax.sweep.run import Launcher, Outcome, run
from bnjax.sweep.slurm import Options, Slurm
from bnjax.sweep.trials import Trial, make_trials

__all__ = [
  "Board",
  "Launcher",
  "Local",
  "Options",
  "Outcome",
  "Slurm",
  "Trial",
  "best_table",
  "draw",
  "make_trials",
  "read_points",
  "run",
]
