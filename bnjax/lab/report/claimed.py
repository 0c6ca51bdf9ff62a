"""The page of what the literature claims: a row for each claim and source."""

import os
import pathlib
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from markupsafe import Markup

from bnjax.lab.report.claims import (
  measured_text,
  rule_text,
  tally,
  verdict_text,
  worst,
)
from bnjax.lab.report.files import refuse_other, replace, told
from bnjax.lab.report.page.claims import number, source_of
from bnjax.lab.report.page.experiment import Experiment, read_experiment
from bnjax.lab.report.published import setting
from bnjax.lab.report.render import NONE, Table
from bnjax.lab.report.templating import markdown
from bnjax.lab.report.wording import plural, sentence
from bnjax.lab.results.names import words
from bnjax.lab.results.verdicts import HOLDS

_OURS = (
  "is made from the records of the experiments by\n`python scripts/report.py"
)


class _Row(NamedTuple):
  """A claim of a source."""

  source: str
  cells: Mapping[str, str]


def write_claims(
  folder: str | os.PathLike[str], page: str | os.PathLike[str]
) -> pathlib.Path:
  """Writes a page of all that sources claimed, with a table a source.

  Args:
    folder: of exported runs, with the page that `write_gallery` made.
    page: the file; only one that this function made is replaced.

  Raises:
    UserError: an experiment is damaged, or the page cannot be written.
  """
  root, path = pathlib.Path(folder), pathlib.Path(page)
  found = []
  for kept in sorted(root.glob("*/summary.json")):
    with told(kept.parent, "--claims"):
      found.append(read_experiment(kept.parent))
  rows = [row for one in found for row in _rows(one)]
  tables = [
    Table.of(source, [dict(row.cells) for row in rows if row.source == source])
    for source in sorted({row.source for row in rows})
  ]
  with told(path, "--claims"):
    refuse_other(path, _OURS)
    text = (
      markdown()
      .get_template("claims.md")
      .render(
        tables=tables,
        folder=Markup(root.as_posix()),
        page=Markup(path.as_posix()),
      )
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    replace(path, text)
  return path


def _rows(one: Experiment) -> Iterator[_Row]:
  rules = one.records.rules
  groups: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
  for claim in one.summary["claims"]:
    if source := rules.source(claim["name"]):
      groups.setdefault((source, claim["text"]), []).append(claim)
  for (source, text), own in groups.items():
    shown = _worst(own)
    said = next((claim["published"] for claim in own if claim["published"]), "")
    yield _Row(
      source,
      {
        "claim": text,
        "published": said or NONE,
        "measured [95% interval]": f"{measured_text(shown)}, asked "
        f"{rule_text(shown)}{_where(shown, own)}",
        "verdict": _verdict(own),
        "trained by": _config(one),
      },
    )
  numbers: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
  for entry in one.published:
    source = source_of(entry["published"])
    metric = entry["metric"].partition("@")[0]
    numbers.setdefault((source, metric), []).append(entry)
  for (source, metric), own in numbers.items():
    shown = _worst(own)
    row = number(shown)
    yield _Row(
      source,
      {
        "claim": f"{plural(len(own), 'number')}: {sentence(words(metric))}",
        "published": row.published,
        "measured [95% interval]": f"{row.measured}, asked {row.asked} "
        f"({setting(shown, [shown])})",
        "verdict": tally(own) if len(own) > 1 else row.verdict,
        "trained by": _config(one),
      },
    )


def _config(one: Experiment) -> str:
  """What `--config=` was given, with fields set beside it; else the name."""
  given = re.findall(r"--(config[.=]\S+)", one.command)
  return " --".join(given).removeprefix("config=") or one.name


def _worst(own: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
  verdict = worst(one["verdict"] for one in own)
  return next(one for one in own if one["verdict"] == verdict)


def _where(shown: Mapping[str, Any], own: Sequence[Mapping[str, Any]]) -> str:
  """Of several settings the one that is shown."""
  return f" ({shown['setting']})" if len(own) > 1 else ""


def _verdict(own: Sequence[Mapping[str, Any]]) -> str:
  """Where a claim was judged at several settings, at how many it holds."""
  if len(own) == 1:
    return verdict_text(own[0])
  holding = [one for one in own if one["verdict"] == HOLDS]
  if len(holding) == len(own):
    return f"{HOLDS} at all {len(own)} settings"
  return f"{_worst(own)['verdict']}; holds at {len(holding)} of {len(own)}"
