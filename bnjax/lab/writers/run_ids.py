"""Which run of another program is a network's, kept in the work directory."""

import json
from collections.abc import Callable
from pathlib import Path

from bnjax.lab.writers.writer import About


def run_id(path: Path, about: About, make: Callable[[str | None], str]) -> str:
  """The id of a network's run, which is kept for when it goes on.

  Args:
    path: of the file, JSON of a run's id by the network's name.
    about: the network. If its first step is 0, its run is a new one.
    make: from the id that is kept, None if there is none or it is of an earlier
      run, to the one that is used.
  """
  known = json.loads(path.read_text()) if path.exists() else {}
  kept = known.get(about.name) if about.first_step else None
  used = make(kept)
  if used != kept:
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_suffix(".new")
    aside.write_text(json.dumps(known | {about.name: used}, indent=1))
    aside.replace(path)
  return used
