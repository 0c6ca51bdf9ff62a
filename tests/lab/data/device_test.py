"""Batches on their way to the device."""

import jax
import numpy as np
import pytest
from jax.sharding import AxisType, NamedSharding, PartitionSpec

from bnjax.lab.data.device import ToDevice


class _Count:
  """Batches that hold their step; knows how many were asked for."""

  def __init__(self, end=9):
    self.step, self.end = 0, end

  def __next__(self):
    if self.step == self.end:
      raise StopIteration
    self.step += 1
    return {"images": np.full((8, 2), self.step - 1, np.uint8)}

  def get_state(self):
    return {"step": self.step}

  def set_state(self, state):
    self.step = state["step"]


def _steps(batches):
  return [int(batch["images"][0, 0]) for batch in batches]


@pytest.mark.parametrize("ahead", [0, 1, 3])
def test_batches_arrive_in_order_and_ahead(ahead):
  source = _Count()
  batches = ToDevice(source, ahead=ahead)
  assert source.step == 0  # nothing is read before it is asked for
  first = next(batches)
  assert isinstance(first["images"], jax.Array)
  assert source.step == 1 + ahead
  assert _steps(batches) == list(range(1, 9))
  with pytest.raises(StopIteration):
    next(batches)


def test_the_state_is_that_of_the_batch_in_use():
  batches = ToDevice(_Count(), ahead=2)
  assert batches.get_state() == {"step": 0}
  next(batches)
  next(batches)
  state = batches.get_state()
  assert state == {"step": 2}
  other = ToDevice(_Count(), ahead=2)
  next(other)
  other.set_state(state)
  assert other.get_state() == state
  assert _steps(other) == list(range(2, 9))


def test_a_batch_goes_to_many_devices():
  mesh = jax.make_mesh((8,), ("batch",), axis_types=(AxisType.Auto,))
  sharding = NamedSharding(mesh, PartitionSpec("batch"))
  batch = next(ToDevice(_Count(), sharding=sharding))["images"]
  assert batch.sharding == sharding
  assert [shard.data.shape for shard in batch.addressable_shards] == [
    (1, 2)
  ] * 8
  np.testing.assert_array_equal(batch, np.zeros((8, 2), np.uint8))
