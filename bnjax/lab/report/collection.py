"""One page of many runs: work directories, or what is kept of them."""

import os
import pathlib
from collections.abc import Sequence
from typing import NamedTuple

from bnjax.lab.errors import UserError, plain
from bnjax.lab.report.files import refuse_other, replace, told
from bnjax.lab.report.page import (
  GENERATOR,
  MISSING,
  make_page,
  plotly,
  read_experiment,
)

Path = str | os.PathLike[str]


class Collection(NamedTuple):
  """What `write_page` or `write_gallery` made.

  Attributes:
    page: the file.
    experiments: how many are in it.
    notices: what was missing or odd, one line each.
  """

  page: pathlib.Path
  experiments: int
  notices: list[str]


def write_page(
  folders: Sequence[Path], page: Path, *, title: str = "Results"
) -> Collection:
  """Writes one self-contained page of all runs in some folders.

  Each folder is a run (a work directory, or a folder that `export_run` filled)
  or a folder of runs. Only a page of bnjax is replaced.

  Raises:
    UserError: there are no runs, one is damaged, or the page cannot be written.
  """
  target, found = pathlib.Path(page), []
  with told(target, "--page"):
    refuse_other(target, GENERATOR)
  for path in _runs(folders):
    with told(path, "--runs"):
      found.append(read_experiment(path))
  if not found:
    where = ", ".join(map(str, folders))
    raise UserError(f"--runs: no run in {where}: none holds a config.json")
  with told(target, "--page"):
    text = make_page(found, title)
    target.parent.mkdir(parents=True, exist_ok=True)
    replace(target, text)
  notices = [
    plain(f"{one.name}: {line}") for one in found for line in one.notices
  ]
  notices += [] if plotly() else [MISSING]
  return Collection(target, len(found), notices)


def _runs(folders: Sequence[Path]) -> list[pathlib.Path]:
  runs = []
  for name in folders:
    folder = pathlib.Path(name)
    if not folder.is_dir():
      raise UserError(f"--runs: {folder} is not a directory")
    inside = [folder, *sorted(folder.iterdir())]
    runs += [path for path in inside if (path / "config.json").is_file()]
  return list(dict.fromkeys(runs))
