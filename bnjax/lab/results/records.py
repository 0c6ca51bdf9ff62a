"""Records on disk: JSON lines that grow, and JSON files replaced as a whole.

Everything written is strict JSON: a NaN or an infinity becomes `null`, which
any reader in any language takes. A killed writer can leave at most one torn
last line; readers pass over it and say so, and the next append removes it.
"""

import json
import math
import os
import pathlib
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

Path = str | os.PathLike[str]


class Rows(NamedTuple):
  """The rows of a JSON-lines file, and what was odd about it."""

  rows: list[dict[str, Any]]
  notices: list[str]


def to_strict(value: Any) -> Any:
  """Turns a value into what strict JSON can hold.

  Args:
    value: nested mappings, sequences, sets, scalars and NumPy arrays.

  Returns:
    Dictionaries, lists, strings, numbers, booleans and None, where a number
    that is not finite has become None.

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


def _mend(path: pathlib.Path) -> None:
  """Ends a file's last line: completes it if whole, removes it if torn."""
  if not path.exists() or not path.stat().st_size:
    return
  with path.open("rb") as file:  # before every append: not the whole file
    file.seek(-1, os.SEEK_END)
    if file.read() == b"\n":
      return
  content = path.read_bytes()
  start = content.rfind(b"\n") + 1
  with path.open("r+b") as file:
    if _parse(content[start:]) is None:
      file.truncate(start)
    else:
      file.seek(0, os.SEEK_END)
      file.write(b"\n")


def append_rows(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
  """Appends a chunk of rows in one write and flush.

  Args:
    path: the JSON-lines file; it and its folder are made where missing.
    rows: mappings; numbers that are not finite are written as null.
  """
  path = pathlib.Path(path)
  text = "".join(_dumps(row) + "\n" for row in rows)
  path.parent.mkdir(parents=True, exist_ok=True)
  _mend(path)
  with path.open("a", encoding="utf-8", newline="\n") as file:
    file.write(text)
    file.flush()


def _parse(line: bytes) -> dict[str, Any] | None:
  try:
    row = json.loads(line.decode("utf-8"))
  except ValueError:
    return None
  return row if isinstance(row, dict) else None


def read_rows(path: Path) -> Rows:
  """Reads a JSON-lines file, passing over a torn last line.

  Args:
    path: a file that `append_rows` wrote, perhaps still being written.

  Returns:
    The rows, and a notice if the last line was torn.

  Raises:
    FileNotFoundError: there is no such file.
    ValueError: a line before the last is not a JSON object.
  """
  notices: list[str] = []
  return Rows(list(each_row(path, notices)), notices)


def each_row(path: Path, notices: list[str]) -> Iterator[dict[str, Any]]:
  """The rows of a JSON-lines file one by one, see `read_rows`.

  Args:
    path: the file.
    notices: gets a line if the last line is torn.

  Yields:
    Each row.
  """
  path = pathlib.Path(path)
  with path.open("rb") as file:
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


def write_json(path: Path, value: Any) -> None:
  """Replaces a JSON file as a whole: a reader sees the old or the new."""
  path = pathlib.Path(path)
  text = _pretty(to_strict(value)) + "\n"
  path.parent.mkdir(parents=True, exist_ok=True)
  descriptor, temporary = tempfile.mkstemp(
    dir=path.parent, prefix=f".{path.name}.", suffix=".tmp"
  )
  try:
    with open(descriptor, "w", encoding="utf-8", newline="\n") as file:
      file.write(text)
      file.flush()
      os.fsync(file.fileno())
    # mkstemp makes a file only its owner can read; a result is for everyone.
    mask = os.umask(0)
    os.umask(mask)
    os.chmod(temporary, 0o666 & ~mask)
    os.replace(temporary, path)
  except BaseException:
    os.unlink(temporary)
    raise


def read_json(path: Path) -> dict[str, Any]:
  """Reads a file that `write_json` wrote.

  Raises:
    FileNotFoundError: there is no such file.
    ValueError: it does not hold one JSON object.
  """
  path = pathlib.Path(path)
  value = _parse(path.read_bytes())
  if value is None:
    raise ValueError(f"{path.name} does not hold a JSON object")
  return value
