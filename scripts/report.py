"""Prints and draws the results of a run, by `bnjax.lab.programs.report`."""

import _first

if __name__ == "__main__":
  _first.report()
