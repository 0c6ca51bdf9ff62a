"""What the page is made of: a work directory, or what is kept of one."""

import dataclasses
import functools
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

from bnjax.lab import results
from bnjax.lab.report.run import Run, read_run
from bnjax.lab.results.figures import without_outside
from bnjax.lab.results.workdir import METRICS, is_kept

FINDING = "finding.md"  # what a person wrote of a kept run


@dataclasses.dataclass(frozen=True)
class Experiment:
  """The records of a run.

  Attributes:
    name: its folder's.
    records: config, rules, environment, rows, probes.
    summary: as `bnjax.lab.results.summarize` gives it.
    notices: what was missing or odd, one line each.
    predictions: rows of `predictions.jsonl`, if any.
    picture: the images that these rows have places in, as PNG; empty if none.
    finding: Markdown that a person wrote; empty if none.
    figures: PNG files that stand in for what was not kept.
  """

  name: str
  records: results.Workdir
  summary: Mapping[str, Any]
  notices: Sequence[str] = ()
  predictions: Sequence[Mapping[str, Any]] = ()
  picture: bytes = b""
  finding: str = ""
  figures: Sequence[pathlib.Path] = ()

  @property
  def title(self) -> str:
    """Its title, from the rules."""
    return str(self.summary["title"])

  @functools.cached_property
  def run(self) -> Run:
    """Its records, grouped."""
    own = self.records
    return read_run(
      own.config, own.environment, own.rows, own.probes, own.rules
    )

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


def read_experiment(
  folder: pathlib.Path, rules: results.Rules | None = None
) -> Experiment:
  """Reads a work directory, or a folder that `export_run` filled.

  A run that was interrupted has no `summary.json`: there is one made of what
  it had recorded, and a notice.

  Args:
    folder: with metrics.jsonl, or else metrics.json.
    rules: to judge it by, whose figures may run code from outside; those
      recorded there if None, whose figures may not.

  Raises:
    FileNotFoundError: a file is missing; its `filename` says which.
    ValueError: a file is damaged, the metrics have no rows, or a rule asks for
      what was not recorded.
  """
  run = results.read_workdir(folder)
  notices = list(run.notices)
  if rules is not None:
    run = run.with_rules(rules)
  else:
    own, left_out = without_outside(run.rules)
    run = run._replace(recorded=run.recorded._replace(rules=own))
    notices += [
      line
      for name, line in left_out.items()
      if not (folder / f"{name}.png").exists()  # is shown in its place
    ]
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
  kept = is_kept(folder)
  if kept:  # drawn as it was thinned out, not where rules look alone
    rows = results.thick(results.read_json(folder / METRICS)).rows
    run = run._replace(rows=rows, probes=[])
  finding, picture = folder / FINDING, folder / "predictions.png"
  predictions, more = results.read_predictions(folder)
  notices += more
  return Experiment(
    name=folder.resolve().name,
    records=run,
    summary=summary,
    notices=notices,
    predictions=predictions,
    picture=results.read_bytes(picture),
    finding=results.read_bytes(finding).decode(),
    figures=sorted(folder.glob("*.png")) if kept else (),
  )
