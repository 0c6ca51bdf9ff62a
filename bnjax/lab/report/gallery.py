"""The page of all experiments: README.md of a folder of exported runs."""

import os
import pathlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from markupsafe import Markup

from bnjax.lab.errors import UserError, plain
from bnjax.lab.report import effort
from bnjax.lab.report.claims import (
  by_luck,
  measured_text,
  p_text,
  statement,
  verdict_text,
)
from bnjax.lab.report.collection import Collection
from bnjax.lab.report.files import is_own, refuse_other, replace, told
from bnjax.lab.report.grid_tables import grid_tables
from bnjax.lab.report.page.experiment import (
  FINDING,
  Experiment,
  read_experiment,
)
from bnjax.lab.report.published import doubt, ours, setting
from bnjax.lab.report.render import Table
from bnjax.lab.report.tables import (
  beside,
  layer_tables,
  reasons,
  shown_entries,
  sources,
)
from bnjax.lab.report.templating import markdown
from bnjax.lab.report.wording import sentence, span
from bnjax.lab.results.names import words
from bnjax.lab.results.verdicts import HOLDS

Entry = Mapping[str, Any]

_OURS = "is made from the records beside it by\n`python scripts/report.py"


def write_gallery(folder: str | os.PathLike[str]) -> Collection:
  """Writes README.md of a folder, whose subfolders `export_run` filled.

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
    template = markdown().get_template("gallery.md")
    sections = [_section(one) for one in found]
    replace(
      page,
      template.render(
        found=sections,
        effort=effort.effort_table(found),
        folder=Markup(root.as_posix()),
      ),
    )
  return Collection(page, len(found), notices)


def _section(one: Experiment) -> dict[str, Any]:
  """What the template shows of an experiment."""
  return {
    "one": one,
    "finding": Markup(one.finding.strip()),
    "tables": _tables(one.summary),
    "layers": layer_tables(one.summary),
    "pictures": _pictures(one),
    "command": plain(one.command),
    "how": _how(one),
    "doubts": list(_doubts(one)),
  }


def _pictures(one: Experiment) -> list[str]:
  """Its figures: as the rules list them, any others after them."""
  there = [p.stem for p in sorted(one.folder.glob("*.png")) if is_own(p)]
  asked = [name for name in one.asked if name in there]
  return list(dict.fromkeys([*asked, *there]))


def _tables(summary: Mapping[str, Any]) -> list[Table]:
  """A narrow table a metric: ours, published, verdict."""
  groups: dict[str, list[Entry]] = {}
  for entry in shown_entries(summary):
    groups.setdefault(entry["metric"].partition("@")[0], []).append(entry)
  tables = [_beside(metric, group) for metric, group in groups.items()]
  if summary.get("grids"):
    tables += grid_tables(summary)
  return tables


def _beside(metric: str, entries: Sequence[Entry]) -> Table:
  published = any(entry["published"] for entry in entries)
  rows = [
    {
      "arm": setting(entry, entries),
      "ours": ours(entry),
      **(beside(entry) if published else {}),
    }
    for entry in entries
  ]
  seeds = [entry["seeds"] for entry in entries]
  many = "s" * (max(seeds) > 1)
  title = f"{sentence(words(metric))}, {span(seeds)} seed{many}"
  return Table.of(title, rows, [*reasons(entries), *sources(entries)])


def _how(one: Experiment) -> str:
  """What it took, and on what."""
  environment = one.records.environment
  seconds = one.summary.get("seconds")
  took = f"{effort.duration(seconds)} on " if seconds is not None else "On "
  versions = f"jax {environment.get('jax')}, {environment.get('platform')}"
  parts = [took + effort.machine(one), effort.source(one), versions]
  return "; ".join(filter(None, [*parts, effort.day(one)]))


def _doubts(one: Experiment) -> Iterator[tuple[str, str]]:
  """All that does not hold, is undecided or cannot be compared, in words."""
  for entry in one.published:
    if entry["verdict"] != HOLDS:
      yield entry["verdict"], _reasoned(doubt(entry), entry["reason"])
  for claim in one.summary["claims"]:
    if (verdict := verdict_text(claim)) != HOLDS:
      holm = f"p with Holm's {p_text(claim)}"
      reason = holm if by_luck(claim) else claim["reason"]
      text = f"{statement(claim)}: {measured_text(claim)}"
      yield verdict, _reasoned(text, reason)
  for notice in one.summary["notices"]:
    yield "unfinished", notice


def _reasoned(text: str, reason: str) -> str:
  return f"{text} ({reason})" if reason else text
