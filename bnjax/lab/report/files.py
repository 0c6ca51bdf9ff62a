"""Files that a report writes, and the one line for what cannot be read.

A work directory may be somebody else's: nothing is written through a link, and
no link's file is shown.
"""

import contextlib
import pathlib
from collections.abc import Iterator

from bnjax.lab.errors import UserError
from bnjax.lab.results.records import read_bytes, replacing


@contextlib.contextmanager
def told(folder: pathlib.Path, flag: str = "") -> Iterator[None]:
  """Tells in one line what is wrong with the files of a run.

  The line begins with the flag that asked for it, such as "--export".

  Raises:
    UserError: what is done within raised OSError or ValueError.
  """
  before = f"{flag}: " if flag else ""
  try:
    yield
  except UserError:
    raise
  except FileNotFoundError as error:
    name = pathlib.Path(error.filename or "").name
    what = f"holds no {name}" if folder.is_dir() else "is not a directory"
    raise UserError(
      f"{before}{folder} {what}: run scripts/train.py --workdir={folder} first"
    ) from None
  except OSError as error:
    path = error.filename2 or error.filename or folder
    raise UserError(f"{before}{path}: {error.strerror}") from None
  except ValueError as error:
    raise UserError(f"{before}{folder}: {error}") from None


def read_own(path: pathlib.Path) -> bytes:
  """A file's content; empty if there is none, or it is a link.

  Raises:
    ValueError: it cannot be read; `told` says it as of any other record.
  """
  return read_bytes(path) if is_own(path) else b""


def is_own(path: pathlib.Path) -> bool:
  """Whether there is such a file, and it is no link to another one."""
  return path.is_file() and not path.is_symlink()


def made(folder: pathlib.Path, *below: str) -> pathlib.Path:
  """A folder below another one, made if missing.

  Raises:
    UserError: it is a link.
    OSError: it cannot be made.
  """
  for name in below:
    folder = folder / name
    _refuse_link(folder)
    folder.mkdir(parents=True, exist_ok=True)
  return folder


def replace(path: pathlib.Path, content: str | bytes) -> pathlib.Path:
  """Writes a file aside and renames it: a reader sees the old or the new.

  Raises:
    UserError: it is a link.
    OSError: it cannot be written.
  """
  _refuse_link(path)
  with replacing(path) as file:
    file.write(content.encode() if isinstance(content, str) else content)
  return path


def refuse_other(path: pathlib.Path, mark: str) -> None:
  """Raises UserError where a file lacks the mark that each of ours has."""
  there = read_own(path).decode(errors="replace")
  if there and mark not in there:
    raise UserError(f"{path} is no page of bnjax: it is not replaced")


def _refuse_link(path: pathlib.Path) -> None:
  if path.is_symlink():
    raise UserError(f"{path} is a link, through which nothing is written")
