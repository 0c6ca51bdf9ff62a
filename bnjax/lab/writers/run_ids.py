"""Which run of another program is a network's, kept in the work directory."""

import os
from collections.abc import Callable
from pathlib import Path

from bnjax.lab import results
from bnjax.lab.writers.writer import About


def run_id(path: Path, about: About, make: Callable[[str | None], str]) -> str:
  """The id of a network's run, which is kept for when it goes on.

  Args:
    path: of the file, JSON of a run's id by the network's name.
    about: the network. If its first step is 0, its run is a new one.
    make: from the id that is kept, None if there is none or it is of an earlier
      run, to the one that is used.
  """
  known = results.read_json(path) if os.path.lexists(path) else {}
  kept = known.get(about.name) if about.first_step else None
  used = make(kept)
  if used != kept:
    results.write_json(path, known | {about.name: used})
  return used
