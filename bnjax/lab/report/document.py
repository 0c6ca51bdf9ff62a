"""The report of a work directory: figures, tables, Markdown and a page."""

import os
import pathlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from bnjax.lab.errors import UserError, choice, plain
from bnjax.lab.report.figures import draw_figures
from bnjax.lab.report.files import made, replace, told
from bnjax.lab.report.on_paper import COLUMN, METADATA
from bnjax.lab.report.page import (
  MISSING,
  Experiment,
  make_page,
  plotly,
  read_experiment,
)
from bnjax.lab.report.page.experiment import read_records
from bnjax.lab.report.render import Table
from bnjax.lab.report.run import read_run
from bnjax.lab.report.templating import markdown
from bnjax.lab.results.rules import Rules

_LEAST, _MOST = 2.5, 12.0  # inches


class Report(NamedTuple):
  """What `write_report` made.

  Attributes:
    page: index.html, self-contained.
    markdown: report.md, beside the figures it shows.
    figures: the figures' files.
    summary: what it says, to be printed with `print_summary`.
    tables: its tables.
    notices: what was missing or odd, one line each.
  """

  page: pathlib.Path
  markdown: pathlib.Path
  figures: list[pathlib.Path]
  summary: Mapping[str, Any]
  tables: Sequence[Table]
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
    workdir: the work directory of a run; its records are left as they are.
    formats: of the figures: png, pdf, svg; png is always among them, as the
      page and the Markdown show it.
    rules: to judge it by, and to draw; their figures may run code from outside.
      Those recorded there if None, without what such code draws.

  Raises:
    UserError: a file is missing, damaged or cannot be written, or a rule asks
      for what was not recorded.
  """
  return draw_report(pathlib.Path(workdir), formats, rules)[1]


def draw_report(
  folder: pathlib.Path,
  formats: Sequence[str] = ("png",),
  rules: Rules | None = None,
) -> tuple[Experiment, Report]:
  """The report, and what it was made from: see `write_report`."""
  formats = [choice("format", form, METADATA) for form in formats]
  with told(folder):
    one = read_experiment(folder, rules)
    out = made(folder, "report")
    figures = draw_figures(one.run, out, list(dict.fromkeys(["png", *formats])))
    report = Report(
      page=replace(out / "index.html", make_page([one])),
      markdown=replace(out / "report.md", _markdown(one, figures)),
      figures=figures,
      summary=one.summary,
      tables=one.tables,
      notices=[*map(plain, one.notices), *([] if plotly() else [MISSING])],
    )
  return one, report


def write_figures(
  workdir: str | os.PathLike[str],
  *,
  formats: Sequence[str] = ("pdf",),
  width: float = COLUMN,
  rules: Rules | None = None,
  title: bool = True,
  caption: bool = True,
) -> list[pathlib.Path]:
  """Draws the figures of a run for a paper, into its `report/paper/`.

  Their text has the size it has in print: they are to be included as they are,
  not scaled.

  Args:
    workdir: the work directory of a run, or what is kept of it.
    formats: png, pdf, svg.
    width: in inches.
    rules: as for `write_report`.
    title: whether figures have one; a paper has it in its caption.
    caption: whether they say what their marks are; likewise.

  Raises:
    UserError: as `write_report`, or there is no such format or width.
  """
  folder = pathlib.Path(workdir)
  formats = [choice("--format", form, METADATA) for form in formats]
  if not _LEAST <= width <= _MOST:
    raise UserError(
      f"--width: {width:g} inches; between {_LEAST:g} and {_MOST:g}, such as "
      f"{COLUMN:g} for a column"
    )
  with told(folder):
    run = read_run(read_records(folder, rules)[0])
    out = made(folder, "report", "paper")
    return draw_figures(run, out, formats, width, title=title, caption=caption)


def _markdown(one: Experiment, figures: Iterable[pathlib.Path]) -> str:
  pictures = [path for path in figures if path.suffix == ".png"]
  template = markdown().get_template("report.md")
  return template.render(one=one, pictures=pictures)
