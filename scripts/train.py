"""Trains every arm and seed of an experiment, by `bnjax.lab.programs.train`."""

import _first

if __name__ == "__main__":
  _first.train()
