"""Prints the results of a work directory and draws its report.

  python scripts/report.py --workdir=runs/init_robustness-mnist5k
  python scripts/report.py --workdir=runs/try --format=pdf,svg

Kept short on purpose: all that it does is in `bnjax.report`.
"""

import sys

from absl import app, flags

from bnjax import report
from bnjax.errors import UserError

_WORKDIR = flags.DEFINE_string("workdir", None, "A run's work directory.")
_FORMAT = flags.DEFINE_list(
  "format", ["png"], "Of the figures: png, pdf, svg; png is always drawn."
)


def main(argv: list[str]) -> None:
  """Reports, or says in one line why it cannot."""
  try:
    if argv[1:]:
      raise UserError(f"{argv[1]!r}: not a flag; write --workdir={argv[1]}")
    if not _WORKDIR.value:
      raise UserError("--workdir: the report of which run?")
    done = report.write_report(_WORKDIR.value, formats=_FORMAT.value)
  except UserError as error:
    sys.exit(f"error: {error}")
  report.print_tables(done.tables)
  for notice in done.notices:
    print(f"note: {notice}")
  print(f"report: {done.page}")
  for path in (done.markdown, done.table, *done.figures):
    print(f"        {path}")


if __name__ == "__main__":
  app.run(main)
