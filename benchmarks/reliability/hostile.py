"""Work directories of somebody else: names that are more than names, links."""

import contextlib
import csv
import io
import os
import re
from collections.abc import Iterator
from pathlib import Path

from benchmarks.reliability.finished import FILES, FinishedRun
from benchmarks.reliability.outcome import Outcome, refused
from benchmarks.reliability.stopped import StoppedRun, begin, contents
from bnjax.lab import report, results
from bnjax.lab.errors import UserError

NAMES = (
  "../../outside",
  "/tmp/outside",
  "=1+1",
  "+1",
  "@SUM(1)",
  "![x](http://elsewhere/x.png)",
  "[x](javascript:alert)",
  "<script>alert(1)</script>",
  '"><img src=http://elsewhere/x.png>',
  "cost $\\frac{1}{2$",
  "\x1b[31mred\x1b[0m",
  "two\nlines",
  "a | b `c` *d*",
  "[bold]x[/]",
  "\N{RIGHT-TO-LEFT OVERRIDE}x",
  "x" * 300,
)
PLACES = ("arm", "title", "figure", "claim", "command")
# What a run writes through, and what its report does.
LINKS = (*FILES, "checkpoints", "params", "report", ".lock", "tensorboard")
REPORT_LINKS = ("index.html", "report.md", "loss.png")


def name_something(folder: Path, place: str, name: str) -> Outcome:
  """Reports on a finished run in which something has that name.

  Args:
    folder: an empty one.
    place: of `PLACES`.
    name: the name.
  """
  workdir = folder / "in" / "run"
  workdir.mkdir(parents=True)
  FinishedRun(workdir, name if place == "arm" else "a")
  _rename(workdir, place, name)
  before = contents(folder)
  said = io.StringIO()
  try:
    with contextlib.redirect_stdout(said):
      done = report.write_report(workdir)
      report.print_tables(done.tables)
      results.write_table(workdir, workdir / "report" / "table.csv")
      report.write_page([workdir], workdir / "report" / "page.html")
  except UserError as error:
    return refused(str(error))
  except Exception as error:
    return Outcome("wrong", repr(error))
  made = workdir / "report"
  there = contents(folder)
  new = {p: c for p, c in there.items() if made not in p.parents and p != made}
  if new != before:
    return Outcome("wrong", f"{place} {name!r} left its place: {set(new)}")
  why = "; ".join(_escaped(made, said.getvalue()))
  return (
    Outcome("wrong", f"{place} {name!r}: {why}") if why else Outcome("survived")
  )


def _rename(workdir: Path, place: str, name: str) -> None:
  """Gives a name that code would refuse, in the files themselves."""
  if place == "command":
    environment = results.read_json(workdir / "environment.json")
    environment["command"] = name
    results.write_json(workdir / "environment.json", environment)
  elif place != "arm":
    whole = results.read_json(workdir / "rules.json")
    rules = whole["rules"]
    if place == "title":
      rules["title"] = name
    elif place == "claim":
      rules["claims"]["more"]["text"] = name
    else:
      rules["figures"] = {name: {"kind": "curves", "metrics": ["accuracy"]}}
    results.write_json(workdir / "rules.json", whole)
  (workdir / results.SUMS).unlink()


def _escaped(made: Path, printed: str) -> Iterator[str]:
  """What of the outputs of a report is more than text."""
  texts = {p.name: p.read_text() for p in made.iterdir() if p.suffix != ".png"}
  texts["the output"] = printed
  for name, text in texts.items():
    if name == "the output" and re.search(r"[\x1b\u202e]", text):
      yield f"{name} has controls of a terminal"
    page = name.endswith((".html", ".md"))
    if page and re.search(r"<script>alert|<img src=.?http", text):
      yield f"{name} has HTML"
    if name.endswith(".md") and re.search(r"(?<!\\)\]\((http|java)", text):
      yield f"{name} has a link"
  for row in csv.reader(io.StringIO(texts.get("table.csv", ""))):
    if any(cell[:1] in ("=", "+", "-", "@") for cell in row if cell):
      yield f"table.csv has a formula in {row}"


def link(folder: Path, name: str) -> Outcome:
  """Goes on with a run in which a link stands in the place of a file."""
  folder.mkdir()
  stopped = StoppedRun(folder / "run").folder
  outside, path = folder / "outside", stopped / name
  if path.exists() and path.is_dir():
    path.rename(outside)
  elif path.exists() or "." in name:
    outside.write_bytes(path.read_bytes() if path.exists() else b"of somebody")
    path.unlink(missing_ok=True)
  else:
    outside.mkdir()
    (outside / "file").write_text("of somebody")
  path.symlink_to(outside)
  before = contents(folder)
  try:
    begin(stopped)
  except UserError as error:
    if contents(folder) == before:
      return refused(str(error))
    return Outcome("wrong", f"refused, and changed files: {error}")
  except Exception as error:
    return Outcome("wrong", repr(error))
  return Outcome("wrong", f"the link {name} was followed")


def link_of_report(folder: Path, name: str) -> Outcome:
  """Reports where a link stands in the place of a file of the report."""
  workdir, outside = folder / "run", folder / "outside"
  workdir.mkdir(parents=True)
  FinishedRun(workdir)
  outside.mkdir()
  (outside / "file").write_text("of somebody")
  path = workdir / "report" / name
  path.parent.mkdir(exist_ok=True)
  path.symlink_to(outside / "file")
  try:
    report.write_report(workdir)
  except UserError as error:
    told = refused(str(error))
  except Exception as error:
    return Outcome("wrong", repr(error))
  else:
    return Outcome("wrong", f"the link {name} was followed")
  same = (outside / "file").read_text() == "of somebody"
  return told if same and os.path.islink(path) else Outcome("wrong", name)
