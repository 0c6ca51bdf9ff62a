"""The page of all experiments: README.md of a folder of exported runs."""

import os
import pathlib
from collections.abc import Sequence
from typing import NamedTuple

from bnjax.lab import results
from bnjax.lab.errors import UserError
from bnjax.lab.report.gallery_sections import (
  Experiment,
  contents,
  honest,
  section,
)
from bnjax.lab.report.page.experiment import FINDING
from bnjax.lab.report.render import TIMES

HEADING = """# Results

Every experiment with what was published beside what was measured, and a
verdict that follows from a rule in its config file: *holds* where the 95%
interval of the difference lies within the margin, *does not hold* where it lies
outside, *undecided* where it lies on both sides, or *cannot be compared*.
Margins, unless a rule says another: one point of accuracy, a tenth of other
numbers. `bnjax/lab/results/verdicts.py` says how. Numbers are mean ± standard
deviation over seeds; {times} is a ratio of two arms, or of ours to what is
published. A claim or published number counts once, however many settings it
was tried at. This page is made from the records beside it by
`python scripts/report.py --gallery={folder}`.
"""


class Gallery(NamedTuple):
  """What `write_gallery` made.

  Attributes:
    page: README.md.
    experiments: how many are in it.
    notices: what is missing, one line each.
  """

  page: pathlib.Path
  experiments: int
  notices: list[str]


def write_gallery(folder: str | os.PathLike[str]) -> Gallery:
  """Writes README.md of a folder, from the records in its subfolders.

  Args:
    folder: its subfolders are as `export_run` leaves them.

  Raises:
    UserError: there are no experiments, one is damaged, or the page cannot be
      written.
  """
  root = pathlib.Path(folder)
  found, notices = [], []
  for path in sorted(root.iterdir() if root.is_dir() else []):
    if not path.is_dir():
      continue
    if not (path / "summary.json").exists():
      notices.append(f"{path} holds no summary.json and is left out")
      continue
    experiment = _read(path)
    _check(experiment)
    found.append(experiment)
    if not experiment.finding:
      notices.append(f"{path} has no {FINDING} yet: write what was found")
  if not found:
    raise UserError(f"--gallery: {root} holds no experiments")
  page = root / "README.md"
  text = _page(found, root.as_posix())
  try:
    page.write_text(text, encoding="utf-8")
  except OSError as error:
    raise UserError(f"--gallery: {page}: {error.strerror}") from None
  return Gallery(page, len(found), notices)


def _read(path: pathlib.Path) -> Experiment:
  try:
    records = {
      name: results.read_json(path / f"{name}.json")
      for name in ("summary", "config", "environment")
    }
  except FileNotFoundError as error:
    name = pathlib.Path(error.filename or "").name
    raise UserError(f"--gallery: {path} holds no {name}") from None
  except ValueError as error:
    raise UserError(f"--gallery: {path}: {error}") from None
  config = records["config"].get("config") or {}
  try:
    names = list(results.read_rules(path).rules.figures)
  except ValueError as error:
    raise UserError(f"--gallery: {path}: {error}") from None
  finding = path / FINDING
  text = finding.read_text(encoding="utf-8") if finding.exists() else ""
  drawn = sorted(path.rglob("*.png"), key=lambda p: _order(p.stem, names))
  return Experiment(
    path.name,
    records["summary"],
    config,
    records["environment"],
    text.strip(),
    [shown.relative_to(path.parent).as_posix() for shown in drawn],
  )


def _order(name: str, names: Sequence[str]) -> tuple[int, str]:
  """Figures as the rules list them, any others after them."""
  return (names.index(name) if name in names else len(names)), name


def _page(found: Sequence[Experiment], folder: str) -> str:
  parts = [HEADING.format(folder=folder, times=TIMES), contents(found)]
  parts += [section(experiment) for experiment in found]
  parts.append(honest(found))
  return "\n".join(parts).rstrip() + "\n"


def _check(one: Experiment) -> None:
  """Raises UserError where a summary is not as this version writes it."""
  try:
    contents([one])
    section(one)
    honest([one])
  except (KeyError, TypeError, AttributeError):
    raise UserError(
      f"--gallery: {one.name}/summary.json is not as this version writes it: "
      "export the run again"
    ) from None
