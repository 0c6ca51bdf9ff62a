"""Records on disk: JSON lines that grow, and JSON files replaced as a whole.

Everything written is strict JSON: a NaN or an infinity becomes `null`, which
any reader in any language takes. A killed writer can leave at most one torn
last line; readers pass over it and say so, and the next append removes it.
Only regular files are read: a link, a pipe or a device is damage.
"""

import contextlib
import errno
import hashlib
import json
import math
import os
import pathlib
import stat
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, BinaryIO, NamedTuple

import numpy as np

Path = str | os.PathLike[str]


class Rows(NamedTuple):
  """The rows of a JSON-lines file, and what was odd about it."""

  rows: list[dict[str, Any]]
  notices: list[str]


def to_strict(value: Any) -> Any:
  """Turns a value into what strict JSON can hold.

  Mappings, sequences, sets and arrays become dictionaries and lists; a number
  that is not finite becomes None.

  Raises:
    TypeError: a value of another kind, such as a function.

  >>> to_strict({"loss": float("inf"), "steps": (1, 2)})
  {'loss': None, 'steps': [1, 2]}
  """
  if value is None or isinstance(value, str | bool | int):
    return value
  if isinstance(value, float):
    return float(value) if math.isfinite(value) else None
  if isinstance(value, Mapping):
    return {str(key): to_strict(item) for key, item in value.items()}
  if isinstance(value, list | tuple):
    return [to_strict(item) for item in value]
  if isinstance(value, set | frozenset):
    return [to_strict(item) for item in sorted(value)]
  if isinstance(value, os.PathLike):
    return os.fspath(value)
  if isinstance(value, np.generic) or hasattr(value, "__array__"):
    return to_strict(np.asarray(value).tolist())
  raise TypeError(f"{type(value).__name__} has no form in JSON: {value!r}")


def _dumps(value: Any) -> str:
  return json.dumps(to_strict(value), allow_nan=False, ensure_ascii=False)


def _pretty(value: Any, indent: str = "") -> str:
  """Strict values as JSON on several lines; a list of scalars stays on one."""
  nested = isinstance(value, dict) or (
    isinstance(value, list) and any(isinstance(v, dict | list) for v in value)
  )
  if not nested or not value:
    return json.dumps(value, allow_nan=False, ensure_ascii=False)
  deeper = indent + "  "
  if isinstance(value, dict):
    parts = [f"{_dumps(k)}: {_pretty(v, deeper)}" for k, v in value.items()]
  else:
    parts = [_pretty(item, deeper) for item in value]
  inside = ",\n".join(deeper + part for part in parts)
  opened, closed = "{}" if isinstance(value, dict) else "[]"
  return f"{opened}\n{inside}\n{indent}{closed}"


def open_regular(path: Path) -> BinaryIO:
  """Opens a file for reading; waits for no pipe and follows no link.

  Raises:
    OSError: there is no such file, or the system does not read it.
    ValueError: it is no regular file.
  """
  flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0)
  name = pathlib.Path(path).name
  try:
    descriptor = os.open(path, flags | getattr(os, "O_NONBLOCK", 0))
  except OSError as error:
    if error.errno == errno.ELOOP:
      raise ValueError(f"{name} is a link, and none is followed") from None
    raise
  if not stat.S_ISREG(os.fstat(descriptor).st_mode):
    os.close(descriptor)
    raise ValueError(f"{name} is no regular file")
  return os.fdopen(descriptor, "rb")


@contextlib.contextmanager
def reading(path: Path) -> Iterator[BinaryIO]:
  """Opens a file for reading; ValueError if the system cannot read it."""
  try:
    with open_regular(path) as file:
      yield file
  except (FileNotFoundError, NotADirectoryError):
    raise
  except OSError as error:
    name = pathlib.Path(path).name
    raise ValueError(f"{name} cannot be read: {error.strerror}") from error


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
  """A file that takes the place of `path` once all of it is on the disk.

  A reader sees the old or the new. It can be read as well as written.
  """
  path = pathlib.Path(path)
  path.parent.mkdir(parents=True, exist_ok=True)
  descriptor, temporary = tempfile.mkstemp(
    dir=path.parent, prefix=f".{path.name}.", suffix=".tmp"
  )
  try:
    with open(descriptor, "w+b") as file:
      yield file
      file.flush()
      os.fsync(file.fileno())
    # mkstemp makes a file only its owner can read; a result is for everyone.
    mask = os.umask(0)
    os.umask(mask)
    os.chmod(temporary, 0o666 & ~mask)
    os.replace(temporary, path)
    with contextlib.suppress(OSError):  # some systems sync no folder
      sync(path.parent)
  except BaseException:
    with contextlib.suppress(OSError):
      os.unlink(temporary)
    raise


def sync(path: Path) -> None:
  """Has the system write a file, or a folder's list of files, to the disk."""
  descriptor = os.open(path, os.O_RDONLY)
  try:
    os.fsync(descriptor)
  finally:
    os.close(descriptor)


def sha256(path: Path, size: int | None = None) -> str:
  """The digest of a file, or of so many bytes at its beginning.

  Raises:
    FileNotFoundError, ValueError: as `read_json`.
  """
  with reading(path) as file:
    return digest(file, sys.maxsize if size is None else size).hex()


def digest(file: BinaryIO, size: int = sys.maxsize) -> bytes:
  """The SHA-256 of so many bytes from here, or as many as there are."""
  total = hashlib.sha256()
  while size > 0 and (block := file.read(min(size, 2**20))):
    total.update(block)
    size -= len(block)
  return total.digest()


def _mend(path: pathlib.Path) -> None:
  """Ends a file's last line: completes it if whole, removes it if torn."""
  if not os.path.lexists(path):
    return
  with open_regular(path) as file:
    size = file.seek(0, os.SEEK_END)
    file.seek(max(size - 1, 0))  # before every append: not the whole file
    if file.read() in (b"", b"\n"):
      return
    file.seek(0)
    content = file.read()
  start = content.rfind(b"\n") + 1
  with path.open("r+b") as file:
    if _parse(content[start:]) is None:
      file.truncate(start)
    else:
      file.seek(0, os.SEEK_END)
      file.write(b"\n")


def append_rows(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
  """Appends rows in one write and flush; makes file and folder if missing."""
  path = pathlib.Path(path)
  text = "".join(_dumps(row) + "\n" for row in rows)
  path.parent.mkdir(parents=True, exist_ok=True)
  _mend(path)
  with path.open("a", encoding="utf-8", newline="\n") as file:
    file.write(text)
    file.flush()


def _refuse(constant: str) -> None:
  raise ValueError(f"{constant} is not JSON")


_STRICT = json.JSONDecoder(parse_constant=_refuse)


def _parse(line: bytes) -> dict[str, Any] | None:
  try:
    row = _STRICT.decode(line.decode("utf-8"))
  except (ValueError, RecursionError):
    return None
  return row if isinstance(row, dict) else None


def read_rows(path: Path) -> Rows:
  """Reads a file of `append_rows`, perhaps still being written.

  Raises:
    FileNotFoundError: there is no such file.
    ValueError: a line before the last is not a JSON object, or the file cannot
      be read. A torn last line is passed over, with a notice.
  """
  notices: list[str] = []
  return Rows(list(each_row(path, notices)), notices)


def each_row(path: Path, notices: list[str]) -> Iterator[dict[str, Any]]:
  """The rows one by one, see `read_rows`; a torn last line adds a notice."""
  path = pathlib.Path(path)
  with reading(path) as file:
    for number, line in enumerate(file, start=1):
      row = _parse(line)
      if row is not None:
        yield row
      elif not line.strip():
        continue
      elif not line.endswith(b"\n"):
        notices.append(
          f"{path.name}: line {number} is torn (its writer was stopped) and is "
          "left out"
        )
      else:
        raise ValueError(f"{path.name}: line {number} is not a JSON object")


def read_bytes(path: Path) -> bytes:
  """A file's content, none where there is none; raises as `read_json`."""
  if not os.path.lexists(path):
    return b""
  with reading(path) as file:
    return file.read()


def write_json(path: Path, value: Any) -> None:
  """Replaces a JSON file as a whole: a reader sees the old or the new."""
  text = _pretty(to_strict(value)) + "\n"
  with replacing(path) as file:
    file.write(text.encode())


def read_json(path: Path) -> dict[str, Any]:
  """Reads a file that `write_json` wrote.

  Raises:
    FileNotFoundError: there is no such file.
    ValueError: it does not hold one JSON object, or cannot be read.
  """
  with reading(path) as file:
    value = _parse(file.read())
  if value is None:
    raise ValueError(f"{pathlib.Path(path).name} does not hold a JSON object")
  return value
