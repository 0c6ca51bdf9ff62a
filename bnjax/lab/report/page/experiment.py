"""What the page is made of: a work directory, or what is kept of one."""

import dataclasses
import functools
import pathlib
import re
from collections.abc import Mapping, Sequence
from typing import Any

from bnjax.lab import results
from bnjax.lab.report.files import read_own
from bnjax.lab.report.render import Table
from bnjax.lab.report.run import Run, read_run
from bnjax.lab.report.tables import summary_tables
from bnjax.lab.results.figures import without_outside
from bnjax.lab.results.workdir import METRICS, is_kept

FINDING = "finding.md"  # what a person wrote of a kept run
_PNG = b"\x89PNG\r\n\x1a\n"


@dataclasses.dataclass(frozen=True)
class Experiment:
  """The records of a run.

  Attributes:
    folder: where they are.
    records: config, rules, environment, rows, probes.
    summary: as `bnjax.lab.results.summarize` gives it.
    tables: of the summary.
    asked: the names of the figures that the rules ask for.
    notices: what was missing or odd, one line each.
    predictions: rows of `predictions.jsonl`, if any.
    picture: the images that these rows have places in, as PNG; empty if none.
    finding: Markdown that a person wrote; empty if none.
    pictures: name -> PNG of these figures, of a kept run: they stand in for
      what was not kept.
  """

  folder: pathlib.Path
  records: results.Workdir
  summary: Mapping[str, Any]
  tables: Sequence[Table] = ()
  asked: Sequence[str] = ()
  notices: Sequence[str] = ()
  predictions: Sequence[Mapping[str, Any]] = ()
  picture: bytes = b""
  finding: str = ""
  pictures: Mapping[str, bytes] = dataclasses.field(default_factory=dict)

  @property
  def name(self) -> str:
    """The folder's name."""
    return self.folder.resolve().name

  @property
  def title(self) -> str:
    """Its title, from the rules."""
    return str(self.summary["title"])

  @property
  def published(self) -> list[Mapping[str, Any]]:
    """The summary's entries that something is published of."""
    return [own for own in self.summary["entries"] if own["published"]]

  @property
  def command(self) -> str:
    """What made it, without the places of a machine; empty if not known."""
    command = str(self.records.environment.get("command") or "")
    return re.sub(r" --(workdir|data_dir)[= ]\S+", "", command)

  @functools.cached_property
  def run(self) -> Run:
    """Its records, grouped."""
    return read_run(self.records)

  @property
  def facts(self) -> dict[str, str]:
    """The environment as lines of text: what it takes to run it again."""
    found = {
      str(key).replace("_", " "): (
        ", ".join(map(str, value)) if isinstance(value, list) else str(value)
      )
      for key, value in self.records.environment.items()
      if key != "datasets" and value is not None
    }
    if (seconds := self.summary.get("seconds")) is not None:
      found["seconds of training and compilation"] = f"{seconds:.1f}"
    return found


def read_records(
  folder: pathlib.Path, rules: results.Rules | None
) -> tuple[results.Workdir, dict[str, str]]:
  """The records of a run, and a line for each figure that is left out.

  Raises:
    FileNotFoundError, ValueError: as `read_experiment`.
  """
  run = results.read_workdir(folder)
  if rules is not None:
    return run.with_rules(rules), {}
  own, left_out = without_outside(run.rules)
  return run._replace(recorded=run.recorded._replace(rules=own)), left_out


def read_experiment(
  folder: pathlib.Path, rules: results.Rules | None = None
) -> Experiment:
  """Reads a work directory, or a folder that `export_run` filled.

  A run that was interrupted has no `summary.json`: there is one made of what it
  had recorded, and a notice. It is judged by the rules, whose figures may run
  code from outside, or by those recorded there, whose figures may not.

  Raises:
    FileNotFoundError: a file is missing; its `filename` says which.
    ValueError: a file is damaged, the metrics have no rows, or a rule asks for
      what was not recorded.
  """
  run, left_out = read_records(folder, rules)
  kept = is_kept(folder)
  asked = [*run.rules.figures, *left_out]
  found = {name: _png(folder / f"{name}.png") for name in asked if kept}
  pictures = {name: content for name, content in found.items() if content}
  notices = list(run.notices)
  notices += [line for name, line in left_out.items() if name not in pictures]
  if not run.rows:
    raise ValueError(
      f"metrics.jsonl holds no rows yet: run scripts/train.py "
      f"--workdir={folder} first"
    )
  done = (folder / "summary.json").exists()
  if done and rules is None:
    summary = results.read_json(folder / "summary.json")
  else:
    summary = run.summarize()
  if not done:
    notices.append(
      "summary.json is missing: the run was interrupted or is not done, and "
      "this is what it had recorded"
    )
  try:
    tables = summary_tables(summary)
  except (KeyError, TypeError, AttributeError):
    raise ValueError(
      "summary.json is not as this version writes it; remove it, and the "
      "report is made from the metrics"
    ) from None
  if kept:  # drawn as it was thinned out, not where rules look alone
    rows = results.thick(results.read_json(folder / METRICS)).rows
    run = run._replace(rows=rows, probes=[])
  predictions, more = results.read_predictions(folder)
  notices += more
  return Experiment(
    folder=folder,
    records=run,
    summary=summary,
    tables=tables,
    asked=asked,
    notices=notices,
    predictions=predictions,
    picture=_png(folder / "predictions.png"),
    finding=read_own(folder / FINDING).decode("utf-8"),
    pictures=pictures,
  )


def _png(path: pathlib.Path) -> bytes:
  """A picture; empty if there is none, or it is another kind of file."""
  content = read_own(path)
  return content if content.startswith(_PNG) else b""
