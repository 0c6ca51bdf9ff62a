"""The report of a work directory: figures, tables, Markdown and a page."""

import os
import pathlib
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from bnjax.lab.errors import UserError, choice
from bnjax.lab.report.figures import draw_figures
from bnjax.lab.report.on_paper import METADATA
from bnjax.lab.report.page import MISSING, make_page, plotly, read_experiment
from bnjax.lab.report.render import Table, escape_markdown, to_markdown
from bnjax.lab.report.tables import summary_tables
from bnjax.lab.results.rules import Rules


class Report(NamedTuple):
  """What `write_report` made.

  Attributes:
    page: index.html, self-contained.
    markdown: report.md, beside the figures it shows.
    figures: the figures' files.
    tables: the tables, to be printed with `print_tables`.
    notices: what was missing or odd, one line each.
  """

  page: pathlib.Path
  markdown: pathlib.Path
  figures: list[pathlib.Path]
  tables: list[Table]
  notices: list[str]


def write_report(
  workdir: str | os.PathLike[str],
  *,
  formats: Sequence[str] = ("png",),
  rules: Rules | None = None,
) -> Report:
  """Draws the report of a run into its `report/`, from its records alone.

  A run that was interrupted has no `summary.json`: what there is of it is
  reported, and the report says so.

  Args:
    workdir: the work directory of a run.
    formats: of the figures: png, pdf, svg; png is always among them, as the
      page and the Markdown show it.
    rules: to judge it by, and to draw; their figures may run code from outside.
      Those recorded there if None, without what such code draws. The records
      are left as they are.

  Returns:
    The report's files and tables.

  Raises:
    UserError: a file is missing, damaged or cannot be written, or a rule asks
      for what was not recorded.
  """
  folder = pathlib.Path(workdir)
  formats = [choice("format", form, METADATA) for form in formats]
  formats = list(dict.fromkeys(["png", *formats]))
  try:
    return _write(folder, formats, rules)
  except FileNotFoundError as error:
    name = pathlib.Path(error.filename or "").name
    what = f"holds no {name}" if folder.is_dir() else "is not a directory"
    raise UserError(
      f"{folder} {what}: run scripts/train.py --workdir={folder} first"
    ) from None
  except OSError as error:
    raise UserError(f"{error.filename or folder}: {error.strerror}") from None
  except UserError:
    raise
  except ValueError as error:
    raise UserError(f"{folder}: {error}") from None


def _write(
  folder: pathlib.Path, formats: Sequence[str], rules: Rules | None
) -> Report:
  one = read_experiment(folder, rules)
  run, summary = one.records, one.summary
  try:
    tables = summary_tables(summary)
    title = one.title
  except (KeyError, TypeError):
    raise ValueError(
      "summary.json is not as this version writes it; remove it, and the "
      "report is made from metrics.jsonl"
    ) from None
  out = folder / "report"
  figures = draw_figures(
    run.config,
    run.environment,
    run.rows,
    out,
    formats,
    run.probes,
    rules=run.rules,
  )
  shown = [path for path in figures if path.suffix == ".png"]
  notices = list(one.notices)
  text = "\n".join(map(to_markdown, tables))
  report = Report(
    page=out / "index.html",
    markdown=out / "report.md",
    figures=figures,
    tables=tables,
    notices=[*notices, *([] if plotly() else [MISSING])],
  )
  report.markdown.write_text(
    _markdown(title, text, shown, one.facts, notices), encoding="utf-8"
  )
  report.page.write_text(make_page([one]), encoding="utf-8")
  return report


def _markdown(
  title: str,
  tables: str,
  figures: Sequence[pathlib.Path],
  facts: Mapping[str, str],
  notices: Sequence[str],
) -> str:
  lines = [f"# {escape_markdown(title)}", ""]
  lines += [f"> **{escape_markdown(line)}**\n" for line in notices]
  lines += [tables]
  lines += [f"![{path.stem}]({path.name})\n" for path in figures]
  lines += ["## How it was made", ""]
  lines += [
    f"- {escape_markdown(name)}: {escape_markdown(text)}"
    for name, text in facts.items()
  ]
  return "\n".join(lines) + "\n"
