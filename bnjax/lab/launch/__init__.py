"""Sweeps: one plan of networks, trained in parts by local workers or Slurm.

A sweep is a config with a grid or points. Its networks are divided into parts,
each of one compiled program (`parts`); a launcher trains the parts in this
process, in worker processes (`local`) or as a Slurm job array
(`slurm`); their records are gathered in one work directory (`run`), which is
that of an experiment.
"""

from bnjax.lab.launch.board import Board, best_table, failures
from bnjax.lab.launch.launcher import Here, Launcher
from bnjax.lab.launch.local import Local
from bnjax.lab.launch.planned import choose_arms, make_networks, planned
from bnjax.lab.launch.points import collect, read_points
from bnjax.lab.launch.run import Outcome, run
from bnjax.lab.launch.slurm import Options, Slurm

__all__ = [
  "Board",
  "Here",
  "Launcher",
  "Local",
  "Options",
  "Outcome",
  "Slurm",
  "best_table",
  "choose_arms",
  "collect",
  "failures",
  "make_networks",
  "planned",
  "read_points",
  "run",
]
