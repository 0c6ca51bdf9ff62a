"""Averages a run's trained networks, by `bnjax.lab.programs.ensemble`."""

import _first

if __name__ == "__main__":
  _first.ensemble()
