import errno
import fcntl
import os
import socket

import pytest

from bnjax.lab.errors import UserError
from bnjax.lab.experiment import locks


def test_a_second_process_is_told_who_holds_the_directory(tmp_path):
  directory = tmp_path / "new" / "run"
  with (
    locks.hold(directory),
    pytest.raises(
      UserError,
      match=rf"in use by process {os.getpid()} on {socket.gethostname()}; wait",
    ),
  ):
    locks.hold(directory).__enter__()
  assert list(directory.iterdir()) == []
  with locks.hold(directory):
    pass


def test_a_lock_that_a_dead_process_left_is_none(tmp_path):
  (tmp_path / locks.NAME).write_text('{"pid": 1, "host": "elsewhere"}')
  with locks.hold(tmp_path):
    pass


def test_where_nothing_can_be_written(tmp_path):
  (tmp_path / "file").write_text("")
  with pytest.raises(UserError, match=r"cannot write to .*: Not a directory"):
    locks.hold(tmp_path / "file" / "run").__enter__()


def _failing(number):
  def fail(*args):
    raise OSError(number, os.strerror(number))

  return fail


@pytest.mark.parametrize("number", [errno.ENOSYS, errno.ENOLCK, errno.ENOTSUP])
def test_a_file_system_without_locks_is_a_notice(tmp_path, monkeypatch, number):
  monkeypatch.setattr(fcntl, "flock", _failing(number))
  told = []
  with locks.hold(tmp_path, told.append) as check:
    check()
  (line,) = told
  assert f"{tmp_path} is on a file system without locks" in line


@pytest.mark.parametrize("call", ["mkdir", "open", "pwrite", "ftruncate"])
def test_a_full_disk_is_one_line(tmp_path, monkeypatch, call):
  monkeypatch.setattr(os, call, _failing(errno.ENOSPC))
  with pytest.raises(UserError, match=r"cannot write to .*: No space left"):
    locks.hold(tmp_path / "new").__enter__()


def test_what_is_no_file_is_no_lock(tmp_path):
  (tmp_path / "elsewhere").write_text("of somebody")
  for make in (
    lambda path: path.mkdir(),
    lambda path: path.symlink_to(tmp_path / "elsewhere"),
    os.mkfifo,
  ):
    make(tmp_path / locks.NAME)
    with pytest.raises(UserError, match="cannot write to"):
      locks.hold(tmp_path).__enter__()
    (tmp_path / locks.NAME).rename(tmp_path / "aside")
    (tmp_path / "aside").rename(tmp_path / f"aside {make}")
  assert (tmp_path / "elsewhere").read_text() == "of somebody"


def test_a_directory_that_another_took_the_place_of(tmp_path):
  with locks.hold(tmp_path / "run") as check:
    check()
    (tmp_path / "run").rename(tmp_path / "away")
    with pytest.raises(UserError, match="was moved away, removed or replaced"):
      check()
    with (
      locks.hold(tmp_path / "run"),
      pytest.raises(UserError, match="was moved away"),
    ):
      check()
  assert not list((tmp_path / "run").iterdir())
