"""The page of all experiments: README.md of a folder of exported runs."""

import os
import pathlib
from collections.abc import Sequence

from bnjax.lab.errors import UserError
from bnjax.lab.report.collection import Collection
from bnjax.lab.report.files import refuse_other, replace, told
from bnjax.lab.report.gallery_sections import contents, honest, section
from bnjax.lab.report.page.experiment import (
  FINDING,
  Experiment,
  read_experiment,
)
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


_OURS = "is made from the records beside it by\n`python scripts/report.py"


def write_gallery(folder: str | os.PathLike[str]) -> Collection:
  """Writes README.md of a folder, from the records in its subfolders.

  Args:
    folder: its subfolders are as `export_run` leaves them.

  Raises:
    UserError: there are no experiments, one is damaged, or the page cannot be
      written.
  """
  root = pathlib.Path(folder)
  page, found, notices = root / "README.md", [], []
  with told(page, "--gallery"):
    refuse_other(page, _OURS)
  for path in sorted(root.iterdir() if root.is_dir() else []):
    if not path.is_dir():
      continue
    if not (path / "summary.json").exists():
      notices.append(f"{path} holds no summary.json and is left out")
      continue
    with told(path, "--gallery"):
      found.append(read_experiment(path))
    if not found[-1].finding:
      notices.append(f"{path} has no {FINDING} yet: write what was found")
  if not found:
    raise UserError(f"--gallery: {root} holds no experiments")
  with told(page, "--gallery"):
    replace(page, _page(found, root.as_posix()))
  return Collection(page, len(found), notices)


def _page(found: Sequence[Experiment], folder: str) -> str:
  parts = [HEADING.format(folder=folder, times=TIMES), contents(found)]
  parts += [section(experiment) for experiment in found]
  parts.append(honest(found))
  return "\n".join(parts).rstrip() + "\n"
