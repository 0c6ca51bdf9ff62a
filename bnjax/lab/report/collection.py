"""One page of many runs: work directories, or what is kept of them."""

import os
import pathlib
from collections.abc import Sequence
from typing import NamedTuple

from bnjax.lab.errors import UserError
from bnjax.lab.report.page import (
  MISSING,
  Experiment,
  make_page,
  plotly,
  read_experiment,
)

Path = str | os.PathLike[str]


class Collection(NamedTuple):
  """What `write_page` made.

  Attributes:
    page: the HTML file.
    experiments: how many are in it.
    size: its bytes.
    notices: what was missing or odd, one line each.
  """

  page: pathlib.Path
  experiments: int
  size: int
  notices: list[str]


def write_page(
  folders: Sequence[Path], page: Path, *, title: str = "Results"
) -> Collection:
  """Writes one self-contained page of all runs in some folders.

  Args:
    folders: each a run (a work directory, or a folder that `export_run`
      filled), or a folder of runs.
    page: the HTML file; replaced if it exists.
    title: its heading.

  Raises:
    UserError: there are no runs, one is damaged, or the page cannot be
      written.
  """
  found, notices = [], []
  for path in _runs(folders):
    one = _read(path)
    found.append(one)
    notices += [f"{path}: {notice}" for notice in one.notices]
  if not found:
    where = ", ".join(map(str, folders))
    raise UserError(f"--runs: no run in {where}: none holds a config.json")
  try:
    text = make_page(found, title)
  except (ValueError, KeyError, TypeError) as error:
    raise UserError(f"--runs: {error}") from None
  target = pathlib.Path(page)
  try:
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text, encoding="utf-8")
  except OSError as error:
    raise UserError(f"--page: {target}: {error.strerror}") from None
  notices += [] if plotly() else [MISSING]
  return Collection(target, len(found), target.stat().st_size, notices)


def _runs(folders: Sequence[Path]) -> list[pathlib.Path]:
  runs = []
  for name in folders:
    folder = pathlib.Path(name)
    if not folder.is_dir():
      raise UserError(f"--runs: {folder} is not a directory")
    inside = [folder, *sorted(folder.iterdir())]
    runs += [path for path in inside if (path / "config.json").is_file()]
  return list(dict.fromkeys(runs))


def _read(path: pathlib.Path) -> Experiment:
  try:
    return read_experiment(path)
  except FileNotFoundError as error:
    name = pathlib.Path(error.filename or "").name
    raise UserError(f"--runs: {path} holds no {name}") from None
  except (OSError, ValueError) as error:
    raise UserError(f"--runs: {path}: {error}") from None
