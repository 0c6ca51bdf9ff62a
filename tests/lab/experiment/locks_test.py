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
