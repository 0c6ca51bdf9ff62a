import resource

import numpy as np
import pytest

from bnjax.lab.errors import UserError
from bnjax.lab.experiment.checkpoints import Checkpoint, Checkpoints


def _checkpoint(step, size=3):
  arrays = {
    "state.params.dense_0.kernel": np.full((2, size), step, np.float32),
    "state.key": np.asarray([1, 2], np.uint32),
    "loss": np.asarray(0.1),
  }
  return Checkpoint(arrays, {"step": step, "sizes": {"metrics.jsonl": 10}})


def test_what_was_written_is_read(tmp_path):
  Checkpoints(tmp_path / "new").save(_checkpoint(7))
  found = Checkpoints(tmp_path / "new").restore(pytest.fail)
  wanted = _checkpoint(7)
  assert found.position == wanted.position
  assert found.arrays.keys() == wanted.arrays.keys()
  for name, array in wanted.arrays.items():
    np.testing.assert_array_equal(found.arrays[name], array, strict=True)


def test_the_last_two_are_kept(tmp_path):
  checkpoints = Checkpoints(tmp_path)
  for step in range(4):
    checkpoints.save(_checkpoint(step))
  assert sorted(path.name for path in tmp_path.iterdir()) == ["3", "4"]
  assert checkpoints.restore(pytest.fail).position["step"] == 3
  checkpoints.remove()
  assert checkpoints.restore(pytest.fail) is None


# A write that fails leaves others of the same checkpoint going in orbax.
@pytest.mark.filterwarnings(
  "ignore::pytest.PytestUnraisableExceptionWarning",
  "ignore:coroutine:RuntimeWarning",
)
def test_a_disk_that_fills_up_leaves_the_last_one(tmp_path):
  checkpoints = Checkpoints(tmp_path)
  checkpoints.save(_checkpoint(1))
  soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
  resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, hard))
  try:
    big = _checkpoint(2)
    noise = np.random.default_rng(0).random((100, 1000))
    big.arrays["noise"] = noise
    with pytest.raises(
      UserError, match=r"cannot write a checkpoint .*; the one before it"
    ):
      checkpoints.save(big)
  finally:
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
  assert [path.name for path in tmp_path.iterdir()] == ["1"]
  assert Checkpoints(tmp_path).restore(pytest.fail).position["step"] == 1
  checkpoints.save(big)
  assert checkpoints.restore(pytest.fail).position["step"] == 2


def test_what_a_killed_save_left_is_removed(tmp_path):
  Checkpoints(tmp_path).save(_checkpoint(1))
  (tmp_path / "2.orbax-checkpoint-tmp").mkdir()
  checkpoints = Checkpoints(tmp_path)
  assert checkpoints.restore(pytest.fail).position["step"] == 1
  assert [path.name for path in tmp_path.iterdir()] == ["1"]
