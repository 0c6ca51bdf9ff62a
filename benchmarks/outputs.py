"""Checks that an output file can be written, before anything is measured."""

from pathlib import Path

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
