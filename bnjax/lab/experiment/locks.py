"""One process at a time for a work directory."""

import contextlib
import errno
import json
import os
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from bnjax.lab.errors import UserError

NAME = ".lock"
_NO_LOCKS = (errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP)


@contextlib.contextmanager
def hold(
  directory: Path, notify: Callable[[str], None] | None = None
) -> Iterator[Callable[[], None]]:
  """Holds a directory, which is made where missing, until the context ends.

  The system gives the lock back when a process ends, however it ends. On a
  system without `fcntl` nothing is held, and where a file system has no locks,
  that is a notice.

  Args:
    directory: what to hold.
    notify: is told that in a line; standard error if None.

  Yields:
    A function that raises UserError where the directory is no longer there: it
    was moved away, or replaced.

  Raises:
    UserError: another process holds it, or it cannot be written to.
  """
  path = directory / NAME
  with contextlib.ExitStack() as stack:
    try:
      directory.mkdir(parents=True, exist_ok=True)
      flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0)
      descriptor = os.open(path, flags, 0o666)
      stack.callback(os.close, descriptor)
      if not _lock(descriptor):
        (notify or _print)(
          f"{directory} is on a file system without locks: nothing keeps "
          "another process from writing there too"
        )
    except BlockingIOError:
      raise UserError(
        f"--workdir: {directory} is in use by {_holder(descriptor)}; wait for "
        "it, stop it, or name another directory"
      ) from None
    except OSError as error:
      raise _cannot_write(directory, error) from None
    if not _is_at(path, descriptor):  # its last holder removed it just now
      raise UserError(f"--workdir: {directory} was in use until now; try again")

    def check() -> None:
      if not _is_at(path, descriptor):
        raise UserError(
          f"--workdir: {directory} was moved away, removed or replaced while "
          "this run wrote to it, so it stops; the same command goes on from "
          "the last checkpoint where that is now"
        )

    try:
      me = json.dumps({"pid": os.getpid(), "host": socket.gethostname()})
      os.ftruncate(descriptor, 0)
      os.pwrite(descriptor, me.encode(), 0)
    except OSError as error:
      raise _cannot_write(directory, error) from None
    try:
      yield check
    finally:
      if _is_at(path, descriptor):
        path.unlink()


def _lock(descriptor: int) -> bool:
  """Takes the lock; False where there are none."""
  try:
    import fcntl

    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
  except ImportError:
    return True
  except OSError as error:
    if error.errno in _NO_LOCKS:
      return False
    raise
  return True


def _cannot_write(directory: Path, error: OSError) -> UserError:
  return UserError(f"--workdir: cannot write to {directory}: {error.strerror}")


def _print(line: str) -> None:
  print(f"note: {line}", file=sys.stderr)


def _is_at(path: Path, descriptor: int) -> bool:
  try:
    return os.path.samestat(os.stat(path), os.fstat(descriptor))
  except (FileNotFoundError, NotADirectoryError):
    return False


def _holder(descriptor: int) -> str:
  try:
    holder = json.loads(os.pread(descriptor, 1000, 0))
    return f"process {holder['pid']} on {holder['host']}"
  except (ValueError, KeyError, TypeError):  # it is only just starting
    return "another process"
