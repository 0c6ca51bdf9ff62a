"""Pages: that they can be written, how they begin, and their tables."""

import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from benchmarks.timing import describe_machine
from bnjax.lab.errors import UserError


def writable(flag: str, path: Path) -> Path:
  """The path of a file that can be written; makes its folder.

  Raises:
    UserError: it cannot be.
  """
  try:
    there = path.exists()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.open("a").close()
    if not there:
      path.unlink()
  except OSError as error:
    raise UserError(
      f"--{flag}: cannot write {path}: {error.strerror}"
    ) from None
  return path


def heading(title: str, *packages: str) -> list[str]:
  """Markdown lines: a title, the command, machine and versions."""
  machine = describe_machine("flax", "optax", *packages)
  said = ", ".join(f"{k} {v}" for k, v in machine.items())
  return [
    f"# {title}",
    "",
    f"`python {' '.join(sys.argv)}`",
    "",
    said + ".",
    "",
  ]


def table(rows: Iterable[Mapping[str, Any]]) -> list[str]:
  """Markdown lines; numbers to three figures, absent cells empty."""
  rows = list(rows)
  columns = list(dict.fromkeys(key for row in rows for key in row))
  if not columns:
    return []
  cell = lambda v: f"{v:.3g}" if isinstance(v, float) else str(v)
  return [
    "| " + " | ".join(columns) + " |",
    "|" + "---|" * len(columns),
    *(
      "| " + " | ".join(cell(row.get(c, "")) for c in columns) + " |"
      for row in rows
    ),
  ]
