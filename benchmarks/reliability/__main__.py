"""Attacks a small run in all ways; writes the table of what came of it.

  python -m benchmarks.reliability --output=docs/reliability.md

Exit status: 1 if anything went wrong. Some 20 minutes on two cores.
"""

import argparse
import datetime
import platform
import random
import sys
import tempfile
from pathlib import Path

from benchmarks.outputs import writable
from benchmarks.reliability import outcome, table
from bnjax.lab.errors import UserError


def main() -> None:
  """Attacks, prints each row as it is done, and writes the page."""
  parser = argparse.ArgumentParser("python -m benchmarks.reliability")
  parser.add_argument("--output", default="docs/reliability.md")
  parser.add_argument("--seed", type=int, default=0, help="of the moments")
  parser.add_argument("--tries", type=int, default=3, help="of each attack")
  parser.add_argument("--flips", type=int, default=2000, help="of the cache")
  flags = parser.parse_args()
  try:
    page = writable("output", Path(flags.output))
  except UserError as error:
    sys.exit(f"error: {error}")
  rows = []
  with tempfile.TemporaryDirectory() as folder:
    draw = random.Random(flags.seed)
    for row in table.attack(Path(folder), flags.tries, draw, flags.flips):
      rows.append(row)
      print(row.attack, len(row.outcomes), row.before, sep="; ", flush=True)
      for line in outcome.wrong([row]):
        print(f"  wrong: {line}", flush=True)
  given = f"--seed={flags.seed} --tries={flags.tries} --flips={flags.flips}"
  facts = [
    f"Command: `python -m benchmarks.reliability {given}`",
    f"Date: {datetime.datetime.now(datetime.UTC):%Y-%m-%d}",
    f"Machine: {platform.system()} {platform.machine()}, Python "
    f"{platform.python_version()}",
  ]
  page.write_text(table.to_markdown(rows, facts), encoding="utf-8")
  sys.exit(bool(outcome.wrong(rows)))


if __name__ == "__main__":
  main()
