"""Sweeps: many settings of one experiment, trained together where they can.

A trial is one network: an arm of the config, at a point of the sweep, with a
seed. Trials whose shapes agree are vectorized in one compiled program, by
`bnjax.lab.experiment.engine`, in groups sized to `config.machine.memory_gb`.
"""

from bnjax.lab.launch.board import Board
from bnjax.lab.launch.local import Local
from bnjax.lab.launch.outcome import best_table, draw
from bnjax.lab.launch.points import read_points
from bnjax.lab.launch.run import Launcher, Outcome, run
from bnjax.lab.launch.slurm import Options, Slurm
from bnjax.lab.launch.trials import Trial, make_trials

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
