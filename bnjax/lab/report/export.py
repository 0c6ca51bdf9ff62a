"""From a work directory to what is kept of it: small, and the same each time.

What is kept is `summary.json`, `config.json`, `rules.json`, `environment.json`,
the figures as PNG and `metrics.json`, the metrics thinned out
(`bnjax.lab.results.thin`). A person adds `finding.md`, a paragraph on what was
found.
"""

import os
import pathlib
import shutil
from typing import NamedTuple

from bnjax.lab import results
from bnjax.lab.errors import UserError
from bnjax.lab.report.document import write_report
from bnjax.lab.report.page.experiment import FINDING
from bnjax.lab.results.measured import Measured
from bnjax.lab.results.recorded import NAME
from bnjax.lab.results.thin import thin
from bnjax.lab.results.workdir import METRICS

RECORDS = ("config.json", "environment.json")
SUMMARY = "summary.json"
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
    target: the folder to fill, such as docs/results/NAME; made if missing. Its
      records and figures of before are replaced, its finding is left alone.
    rules: to judge it by; those recorded there if None. What is kept has both.

  Raises:
    UserError: the run is not done, a file is damaged or cannot be written.
  """
  source, folder = pathlib.Path(workdir), pathlib.Path(target)
  if source.resolve() == folder.resolve():
    raise UserError(f"--export: {folder} is the work directory itself")
  done = write_report(source, rules=rules)
  if not (source / SUMMARY).exists():
    raise UserError(
      f"--export: {source} holds no {SUMMARY}: the run is not done"
    )
  run = results.read_workdir(source)
  if rules is not None:
    run = run.with_rules(rules)
  shown = [path for path in done.figures if path.suffix == ".png"]
  try:
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.png"):
      old.unlink()
    files = [source / name for name in RECORDS] + shown
    copies = [pathlib.Path(shutil.copyfile(p, folder / p.name)) for p in files]
    results.write_rules(folder, run.rules, run.recorded.first)
    results.write_json(folder / SUMMARY, run.summarize())
    measured = Measured(run.config, run.rows, run.probes, run.rules)
    results.write_json(folder / METRICS, thin(measured))
  except OSError as error:
    raise UserError(
      f"--export: {error.filename or folder}: {error.strerror}"
    ) from None
  copies += [folder / name for name in (NAME, SUMMARY, METRICS)]
  size = sum(path.stat().st_size for path in copies)
  notices = list(done.notices)
  if size > LIMIT:
    notices.append(f"{folder} takes {size:,} bytes, more than {LIMIT:,}")
  if not (folder / FINDING).exists():
    notices.append(f"{folder} has no {FINDING} yet: write what was found")
  return Exported(copies, size, notices)
