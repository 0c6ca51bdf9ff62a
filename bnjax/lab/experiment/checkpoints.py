"""Checkpoints of a run: all that it needs to go on, in one file each.

A file is what `numpy.savez` makes, and after it the SHA-256 of that: arrays and
JSON, nothing that is unpickled or evaluated. One that is damaged is known as
such, and the one before it is taken.
"""

import contextlib
import hashlib
import json
import os
import re
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np

from bnjax.lab.errors import UserError
from bnjax.lab.results.records import digest, open_regular, replacing

_DIGEST = hashlib.sha256().digest_size


class Checkpoint(NamedTuple):
  """What a run needs to go on."""

  state: Any  # nested dicts and lists of arrays
  position: dict[str, Any]  # what the arrays are of, as JSON


class Damaged(ValueError):
  """A file is not as it was written; the text says, in a line, why."""


class Checkpoints:
  """The checkpoints in a directory, which this process alone writes.

  Args:
    directory: made with the first checkpoint.
  """

  def __init__(self, directory: Path):
    self._directory = directory
    self._last = 0  # the one that was written or read last, if any was

  def save(self, checkpoint: Checkpoint) -> None:
    """Writes a checkpoint beside the last one and removes older ones.

    Raises:
      UserError: it cannot be written; the earlier ones are as they were.
    """
    try:
      number = max(self._numbers(), default=0) + 1
      save(self._path(number), checkpoint)
      self._clear(number, self._last or number - 1)
    except OSError as error:
      raise UserError(
        f"--workdir: cannot write a checkpoint to {self._directory}: "
        f"{error.strerror}; the one before it is as it was, and the same "
        "command goes on from there"
      ) from error
    self._last = number

  def restore(
    self,
    notify: Callable[[str], None],
    fits: Callable[[Checkpoint], bool] = lambda found: True,
  ) -> Checkpoint | None:
    """The newest checkpoint that is whole and fits; None where none is whole.

    Those that are damaged are renamed, and nothing is removed.

    Args:
      notify: is told, in a line, of each that is passed over.
      fits: whether what a checkpoint counts on is there.

    Raises:
      UserError: the system does not read one, or none of them fits.
    """
    whole = False
    try:
      for number in sorted(self._numbers(), reverse=True):
        path = self._path(number)
        try:
          found = load(path)
        except Damaged as error:
          _set_aside(path, error, notify)
          continue
        if fits(found):
          self._last = number
          return found
        whole = True
        notify(f"checkpoint {path} counts on records that are not there now")
    except OSError as error:
      raise UserError(
        f"--workdir: cannot read {error.filename or self._directory}: "
        f"{error.strerror}; put that right, and the same command goes on"
      ) from error
    if whole:
      workdir = self._directory.parent
      raise UserError(
        f"--workdir: the records in {workdir} were cut or changed, and no "
        f"checkpoint fits them; remove {workdir} to start afresh"
      )
    return None

  def remove(self) -> None:
    """Removes the checkpoints, but for those set aside."""
    self._clear()
    with contextlib.suppress(OSError):  # there are others, or there is none
      self._directory.rmdir()

  def _clear(self, *kept: int) -> None:
    """Removes all others, and what a killed save left."""
    for number in {*self._numbers()} - {*kept}:
      self._path(number).unlink()
    for path in self._directory.glob(".*.npz.*.tmp"):
      path.unlink()

  def _path(self, number: int) -> Path:
    return self._directory / f"{number}.npz"

  def _numbers(self) -> list[int]:
    try:
      names = os.listdir(self._directory)
    except FileNotFoundError:
      return []
    found = (re.fullmatch(r"(\d+)\.npz", name) for name in names)
    return [int(match[1]) for match in found if match]


def _set_aside(path: Path, why: Damaged, notify: Callable[[str], None]) -> None:
  aside = path.with_name(f"{path.name}.damaged")
  with contextlib.suppress(OSError):  # it is passed over all the same
    path.rename(aside)
  notify(
    f"checkpoint {path} is damaged ({why}): it is now {aside.name}, and the "
    "one before it is taken"
  )


def save(path: Path, checkpoint: Checkpoint) -> None:
  """Writes a file as a whole; raises OSError where that fails."""
  with replacing(path) as file:
    write(file, checkpoint)
    file.seek(0)
    whole = digest(file)
    file.seek(0, os.SEEK_END)
    file.write(whole)


def load(path: Path) -> Checkpoint:
  """Reads what `save` wrote, and leaves it as it is.

  Raises:
    OSError: it is not there, or the system does not read it.
    Damaged: it is not what was written.
    UserError: it is, but by another version.
  """
  try:
    file = open_regular(path)
  except ValueError as error:
    raise Damaged(str(error)) from None
  with file:
    size = file.seek(0, os.SEEK_END) - _DIGEST
    file.seek(0)
    if digest(file, size) != file.read():
      raise Damaged("its digest is not that of its content")
    file.seek(0)
    try:
      return read(file)
    except (ValueError, KeyError, TypeError, zipfile.BadZipFile) as error:
      raise UserError(
        f"{path} is whole, but not as this version reads it: {error}"
      ) from error


def write(file: BinaryIO, checkpoint: Checkpoint) -> None:
  """Writes a checkpoint, for `read`."""
  arrays: list[np.ndarray] = []

  def place(leaf: Any) -> int:
    arrays.append(np.asarray(leaf))
    return len(arrays) - 1

  about = {
    "position": checkpoint.position,
    "state": _map(place, checkpoint.state),
    "dtypes": [array.dtype.name for array in arrays],
  }
  named = {str(i): array for i, array in enumerate(arrays)}
  content = np.frombuffer(json.dumps(about).encode(), np.uint8)
  np.savez(file, about=content, **named)  # type: ignore[arg-type]


def read(file: BinaryIO) -> Checkpoint:
  """What `write` wrote, bit for bit."""
  with np.load(file, allow_pickle=False) as found:
    about = json.loads(found["about"].tobytes())
    # NumPy knows bfloat16 and its like, which are JAX's, by their size alone.
    arrays = []
    for i, name in enumerate(about["dtypes"]):
      array = found[str(i)]
      arrays.append(array.view(name) if array.dtype.kind == "V" else array)
  return Checkpoint(_map(arrays.__getitem__, about["state"]), about["position"])


def _map(function: Callable[[Any], Any], tree: Any) -> Any:
  """As `jax.tree.map`, but dicts stay in their order."""
  if isinstance(tree, dict):
    return {key: _map(function, value) for key, value in tree.items()}
  if isinstance(tree, list):
    return [_map(function, value) for value in tree]
  return function(tree)
