"""One process at a time for a work directory."""

import contextlib
import json
import os
import socket
from collections.abc import Iterator
from pathlib import Path

from bnjax.lab.errors import UserError

NAME = ".lock"


@contextlib.contextmanager
def hold(directory: Path) -> Iterator[None]:
  """Holds a directory, which is made where missing, until the context ends.

  The system gives the lock back when a process ends, however it ends. On a
  system without `fcntl` nothing is held.

  Raises:
    UserError: another process holds it, or it cannot be written to.
  """
  try:
    import fcntl
  except ImportError:
    yield
    return
  path = directory / NAME
  try:
    directory.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
  except OSError as error:
    raise UserError(
      f"--workdir: cannot write to {directory}: {error.strerror}"
    ) from None
  try:
    try:
      fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
      raise UserError(
        f"--workdir: {directory} is in use by {_holder(descriptor)}; wait for "
        "it, stop it, or name another directory"
      ) from None
    if not _is_at(path, descriptor):  # its last holder removed it just now
      raise UserError(f"--workdir: {directory} was in use until now; try again")
    me = json.dumps({"pid": os.getpid(), "host": socket.gethostname()})
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, me.encode(), 0)
    try:
      yield
    finally:
      path.unlink(missing_ok=True)
  finally:
    os.close(descriptor)


def _is_at(path: Path, descriptor: int) -> bool:
  try:
    return os.path.samestat(os.stat(path), os.fstat(descriptor))
  except FileNotFoundError:
    return False


def _holder(descriptor: int) -> str:
  try:
    holder = json.loads(os.pread(descriptor, 1000, 0))
    return f"process {holder['pid']} on {holder['host']}"
  except (ValueError, KeyError, TypeError):  # it is only just starting
    return "another process"
