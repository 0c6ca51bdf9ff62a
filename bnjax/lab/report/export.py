"""From a work directory to what is kept of it: small, and the same each time.

What is kept is `summary.json`, `config.json`, `rules.json`, `environment.json`,
the figures as PNG, the predictions that have an image, and `metrics.json`, the
metrics thinned out (`bnjax.lab.results.thin`) and a list of these files: they
alone are replaced when the run is exported again. A person adds `finding.md`, a
paragraph on what was found.
"""

import json
import os
import pathlib
import re
from collections.abc import Sequence
from typing import NamedTuple

from bnjax.lab import results
from bnjax.lab.errors import UserError
from bnjax.lab.report.document import draw_report
from bnjax.lab.report.files import is_own, replace, told
from bnjax.lab.report.page.experiment import FINDING
from bnjax.lab.results.recorded import NAME
from bnjax.lab.results.thin import thin
from bnjax.lab.results.workdir import METRICS

RECORDS = ("config.json", "environment.json")
SUMMARY = "summary.json"
PREDICTIONS = "predictions.jsonl"
_FILE = r"\w[\w .,=+-]*\.(json|jsonl|png)"
LIMIT = 1_000_000  # bytes of an experiment, in a repository of them


class Exported(NamedTuple):
  """What `export_run` left.

  Attributes:
    files: all of them but the finding.
    size: bytes of these files.
    notices: what is missing or too large, one line each.
  """

  files: list[pathlib.Path]
  size: int
  notices: list[str]


def export_run(
  workdir: str | os.PathLike[str],
  target: str | os.PathLike[str],
  *,
  rules: results.Rules | None = None,
) -> Exported:
  """Copies what is kept of a finished run.

  Args:
    workdir: its work directory; its report is drawn again.
    target: the folder to fill, such as docs/results/NAME; made if missing. What
      was exported there before is replaced, if it is of the same title; its
      finding is left alone.
    rules: to judge it by; those recorded there if None. What is kept has both.

  Raises:
    UserError: the run is not done, a file is damaged or cannot be written, or
      there is something else in the folder.
  """
  source, folder = pathlib.Path(workdir), pathlib.Path(target)
  if source.resolve() == folder.resolve():
    raise UserError(f"--export: {folder} is the work directory itself")
  one, done = draw_report(source, rules=rules)
  if not (source / SUMMARY).exists():
    raise UserError(
      f"--export: {source} holds no {SUMMARY}: the run is not done"
    )
  run = one.records
  if rules is None:  # with the figures of code from outside
    run = run._replace(recorded=results.read_rules(source))
  summary = run.summarize()
  shown = [path for path in done.figures if path.suffix == ".png"]
  copies = [*(source / name for name in RECORDS), *shown]
  said = [row for row in one.predictions if "image" in row and one.picture]
  if said:
    copies.append((source / PREDICTIONS).with_suffix(".png"))
  names = [*(path.name for path in copies), NAME, SUMMARY, METRICS]
  names += [PREDICTIONS] if said else []
  with told(folder, "--export"):
    before = _before(folder, summary["title"], names)
    for name in names:
      if os.path.lexists(folder / name) and name not in before:
        raise UserError(
          f"--export: {folder / name} is there and was not exported: choose an "
          "empty folder"
        )
    kept = thin(one.run.measured) | {"files": names}
    results.write_json(folder / METRICS, kept)  # first: it lists the others
    for name in before - {*names}:
      (folder / name).unlink(missing_ok=True)
    for path in copies:
      replace(folder / path.name, path.read_bytes())
    if said:
      lines = [json.dumps(row, separators=(",", ":")) + "\n" for row in said]
      replace(folder / PREDICTIONS, "".join(lines))
    results.write_rules(folder, run.rules, run.recorded.first)
    results.write_json(folder / SUMMARY, summary)
    size = sum((folder / name).stat().st_size for name in names)
  notices = list(done.notices)
  if size > LIMIT:
    notices.append(f"{folder} takes {size:,} bytes, more than {LIMIT:,}")
  if not (folder / FINDING).exists():
    notices.append(f"{folder} has no {FINDING} yet: write what was found")
  return Exported([folder / name for name in names], size, notices)


def _before(folder: pathlib.Path, title: str, names: Sequence[str]) -> set[str]:
  """The files that were exported to a folder before.

  Where no list was kept of them they are those of `names`.

  Raises:
    UserError: they are those of an experiment of another title.
  """
  if not is_own(folder / METRICS):
    return set()
  kept = results.read_json(folder / METRICS).get("files", names)
  there = results.read_json(folder / SUMMARY).get("title")
  if there != title:
    raise UserError(
      f"--export: {folder} has {there!r}, not {title!r}: choose another folder"
    )
  known = map(str, kept if isinstance(kept, list) else ())
  return {name for name in known if re.fullmatch(_FILE, name)}
