"""Prints the results of a work directory and draws its report.

  python scripts/report.py --workdir=runs/init_robustness-mnist5k
  python scripts/report.py --workdir=runs/try --config=configs/mine.py
  python scripts/report.py --workdir=runs/try --table=try.csv
  python scripts/report.py --workdir=runs/try --format=pdf,svg
  python scripts/report.py --workdir=runs/try --width=3.3 --format=pdf --notitle
  python scripts/report.py --workdir=runs/x-mnist --export=docs/results/x
  python scripts/report.py --gallery=docs/results --claims=docs/claims.md
  python scripts/report.py --runs=docs/results --page=results.html

A run is judged, and drawn, by the rules recorded there; with `--config` by
those that the file has now, and the report says of each claim what was changed.
The records are left as they are. Only with `--config` is any code run that is
not of this package.

`--export` keeps what is small of a finished run; `--gallery` makes README.md of
all that are kept, `--claims` a page of what others claimed and what came of it,
`--page` one interactive page of many runs, kept or not.
"""

import contextlib
from pathlib import Path

from absl import flags

from bnjax.lab import config_file, registry, report, results, usage
from bnjax.lab.errors import UserError
from bnjax.lab.results import figures

_WORKDIR = flags.DEFINE_string("workdir", None, "A run's work directory.")
_CONFIG = flags.DEFINE_string(
  "config", None, "Judge by the rules of this config file, as they are now."
)
_TABLE = flags.DEFINE_string(
  "table", None, "Write all metrics to FILE.csv or FILE.parquet."
)
_FORMAT = flags.DEFINE_list(
  "format", ["png"], "Of the figures: png, pdf, svg; png is always drawn."
)
_WIDTH = flags.DEFINE_float(
  "width", None, "For a paper: figures alone, so many inches wide."
)
_TITLE = flags.DEFINE_bool("title", True, "With --width: above each figure.")
_CAPTION = flags.DEFINE_bool("caption", True, "With --width: below each.")
_EXPORT = flags.DEFINE_string(
  "export", None, "Copy what is kept of the run to this folder."
)
_GALLERY = flags.DEFINE_string(
  "gallery", None, "Write README.md of this folder of exported runs."
)
_CLAIMS = flags.DEFINE_string(
  "claims", None, "With --gallery: write what others claimed to this file."
)
_RUNS = flags.DEFINE_list(
  "runs", [], "With --page: runs, or folders of runs, kept or not."
)
_PAGE = flags.DEFINE_string("page", None, "Write one HTML file of all --runs.")


def main(argv: list[str]) -> None:
  """Reports on a run, or on many."""
  del argv
  if bool(_PAGE.value) != bool(_RUNS.value):
    raise UserError("--page and --runs: give both, as in --help")
  if _CLAIMS.value and not _GALLERY.value:
    raise UserError("--claims: of which folder? Give its --gallery")
  if not (_WORKDIR.value or _GALLERY.value or _PAGE.value):
    raise UserError("--workdir: the report of which run?")
  for flag in (_EXPORT, _WIDTH, _CONFIG, _TABLE):
    if flag.value is not None and not _WORKDIR.value:
      raise UserError(f"--{flag.name}: of which run? Give its --workdir")
  if _WORKDIR.value:
    _report(_WORKDIR.value)
  if _GALLERY.value:
    made = report.write_gallery(_GALLERY.value)
    _say(made.notices)
    print(f"gallery: {made.page}, experiments: {made.experiments}")
    if _CLAIMS.value:
      print(f"claims: {report.write_claims(_GALLERY.value, _CLAIMS.value)}")
  if _PAGE.value:
    whole = report.write_page(_RUNS.value, _PAGE.value)
    _say(whole.notices)
    print(f"page: {whole.page}, {whole.experiments} experiments")


def _report(workdir: str) -> None:
  if _TABLE.value:
    _write_table(workdir, _TABLE.value)
    return
  rules = _rules(workdir, _CONFIG.value) if _CONFIG.value else None
  if _EXPORT.value:
    kept = report.export_run(workdir, _EXPORT.value, rules=rules)
    _say(kept.notices)
    print(f"exported: {_EXPORT.value}, {kept.size:,} bytes")
    return
  if _WIDTH.value is not None:
    registry.check_value("--width", _WIDTH.value, registry.Positive)
    for path in report.write_figures(
      workdir, formats=_FORMAT.value, width=_WIDTH.value, rules=rules,
      title=_TITLE.value, caption=_CAPTION.value,
    ):  # fmt: skip
      print(f"figure: {path}")
    if rules is None:
      recorded = results.read_rules(workdir).rules
      _say(list(figures.without_outside(recorded)[1].values()))
    return
  done = report.write_report(workdir, formats=_FORMAT.value, rules=rules)
  report.print_summary(done.summary, done.notices)
  print(f"report: {done.page}")
  for path in (done.markdown, *done.figures):
    print(f"        {path}")


def _rules(workdir: str, name: str) -> results.Rules:
  """The rules that a config file has for what was trained there."""
  try:
    config = results.read_json(Path(workdir) / "config.json")["config"]
  except (OSError, KeyError, ValueError):
    raise UserError(f"{workdir} holds no config.json of a run") from None
  from bnjax.lab.config import complete

  with contextlib.suppress(UserError):  # of another version: as it is there
    config = complete(config)
  return config_file.read_rules(name, config)


def _write_table(workdir: str, path: str) -> None:
  try:
    for file in results.write_table(workdir, path):
      print(f"table: {file}")
  except OSError as error:
    raise UserError(f"{error.filename}: {error.strerror}") from None
  except (ImportError, ValueError) as error:
    raise UserError(f"--table: {error}") from None


def _say(notices: list[str]) -> None:
  for notice in notices:
    print(f"note: {notice}")


def run() -> None:
  """Runs the program."""
  usage.run(main)
