"""Trains an experiment at many settings, by `bnjax.lab.programs.sweep`."""

import _first

if __name__ == "__main__":
  _first.sweep()
