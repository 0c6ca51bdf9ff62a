import os
import resource

import jax.numpy as jnp
import numpy as np
import pytest

from benchmarks.reliability.harms import HARMS
from bnjax.lab.errors import UserError
from bnjax.lab.experiment import checkpoints as files
from bnjax.lab.experiment.checkpoints import Checkpoint, Checkpoints


def _checkpoint(step, size=3):
  state = {
    "part": {
      "params": {"dense.0": {"kernel": np.full((2, size), step, np.float32)}},
      "half": np.asarray(jnp.ones(3, jnp.bfloat16)),
      "batch_stats": {},
      "step": step,
    },
    "predictions": {"z": {"votes": [np.arange(3), np.ones(2)]}, "a\0.b": {}},
  }
  return Checkpoint(state, {"step": step, "parts": [[{"arm": "ä"}]]})


def test_what_was_written_is_read_bit_for_bit(tmp_path):
  Checkpoints(tmp_path / "new").save(_checkpoint(7))
  state, position = Checkpoints(tmp_path / "new").restore(pytest.fail)
  wanted = _checkpoint(7)
  assert position == wanted.position
  assert list(state["predictions"]) == ["z", "a\0.b"]
  assert (state["part"]["batch_stats"], state["part"]["step"]) == ({}, 7)
  for ours, theirs in [
    (
      state["part"]["params"]["dense.0"],
      wanted.state["part"]["params"]["dense.0"],
    ),
    (state["part"], {"half": wanted.state["part"]["half"]}),
    (
      state["predictions"]["z"]["votes"],
      wanted.state["predictions"]["z"]["votes"],
    ),
  ]:
    pairs = theirs.items() if isinstance(theirs, dict) else enumerate(theirs)
    for key, array in pairs:
      np.testing.assert_array_equal(ours[key], array, strict=True)


def test_the_last_two_are_kept(tmp_path):
  checkpoints = Checkpoints(tmp_path)
  for step in range(4):
    checkpoints.save(_checkpoint(step))
  (tmp_path / ".9.npz.x.tmp").write_text("a killed save left this")
  checkpoints.save(_checkpoint(4))
  assert sorted(path.name for path in tmp_path.iterdir()) == ["4.npz", "5.npz"]
  assert checkpoints.restore(pytest.fail).position["step"] == 4
  checkpoints.remove()
  assert not tmp_path.exists()
  assert checkpoints.restore(pytest.fail) is None


def test_one_that_does_not_fit_makes_room_for_those_that_do(tmp_path):
  """The one before it was taken, and stays until there are two others."""
  for step in (1, 2):
    Checkpoints(tmp_path).save(_checkpoint(step))
  checkpoints, told = Checkpoints(tmp_path), []
  found = checkpoints.restore(told.append, lambda c: c.position["step"] < 2)
  assert found.position["step"] == 1
  assert told == [
    f"checkpoint {tmp_path / '2.npz'} counts on records that are not there now"
  ]
  checkpoints.save(_checkpoint(3))
  assert sorted(path.name for path in tmp_path.iterdir()) == ["1.npz", "3.npz"]
  with pytest.raises(UserError, match="no checkpoint fits them; remove"):
    checkpoints.restore(told.append, lambda c: False)


def test_a_disk_that_fills_up_leaves_the_last_one(tmp_path):
  checkpoints = Checkpoints(tmp_path)
  checkpoints.save(_checkpoint(1))
  soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
  resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, hard))
  try:
    with pytest.raises(
      UserError, match=r"cannot write a checkpoint .*; the one before it"
    ):
      checkpoints.save(_checkpoint(2, size=10_000))
  finally:
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
  assert [path.name for path in tmp_path.iterdir()] == ["1.npz"]
  assert Checkpoints(tmp_path).restore(pytest.fail).position["step"] == 1
  checkpoints.save(_checkpoint(2, size=10_000))
  assert checkpoints.restore(pytest.fail).position["step"] == 2


def _other_position(path):
  """As somebody would change it who does not know of the digest."""
  content = path.read_bytes()
  assert content.count(b'"step": 2') > 0
  path.write_bytes(content.replace(b'"step": 2', b'"step": 1'))


def _folder(path):
  path.unlink()
  path.mkdir()
  (path / "file").write_text("of somebody")


OTHERS = {
  "another": lambda path: path.write_bytes(
    (path.parent / "1.npz").read_bytes() + b"\0"
  ),
  "position": _other_position,
  "full folder": _folder,
}
ALL = {name: harm for name, harm in HARMS.items() if name != "gone"} | OTHERS


@pytest.mark.parametrize("harm", ALL.values(), ids=ALL)
def test_a_damaged_one_is_set_aside_and_said(tmp_path, harm):
  folder = tmp_path / "checkpoints"
  for step in (1, 2):
    Checkpoints(folder).save(_checkpoint(step))
  harm(folder / "2.npz")
  told = []
  assert Checkpoints(folder).restore(told.append).position["step"] == 1
  (line,) = told
  assert f"{folder / '2.npz'} is damaged (" in line
  assert "it is now 2.npz.damaged" in line
  names = {path.name for path in folder.iterdir()}
  assert names - {"2.npz.elsewhere"} == {"1.npz", "2.npz.damaged"}


@pytest.mark.parametrize("call", ["list", "open", "read", "load"])
def test_what_the_system_does_not_read_is_left(tmp_path, monkeypatch, call):
  for step in (1, 2):
    Checkpoints(tmp_path).save(_checkpoint(step))
  before = {path: path.read_bytes() for path in tmp_path.iterdir()}

  def fail(*args, **kwargs):
    raise OSError(5, "Input/output error")

  where = {"open": (files, "open_regular"), "read": (files, "digest"),
           "load": (np, "load"), "list": (os, "listdir")}[call]  # fmt: skip
  monkeypatch.setattr(*where, fail)
  with pytest.raises(UserError, match=r"cannot read .*: Input/output error"):
    Checkpoints(tmp_path).restore(pytest.fail)
  monkeypatch.undo()
  assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before
