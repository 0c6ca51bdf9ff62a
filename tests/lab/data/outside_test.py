"""Data sets that somebody else's function makes."""

import sys
import types

import numpy as np
import pytest

from bnjax.lab import data
from bnjax.lab.data import Dataset, Split
from bnjax.lab.errors import UserError

CALLS = []


def _split(count, labels=2, shape=(6, 6, 1)):
  images = np.arange(count * np.prod(shape)).reshape(count, *shape)
  numbers = np.arange(count, dtype=np.int32) % labels
  return Split((images % 251).astype(np.uint8), numbers)


def _made(train=9, **others):
  parts = {"validation": _split(4), "test": _split(5)} | others
  split = _split(train) if isinstance(train, int) else train
  return Dataset("mine", "mine: counted", split, num_classes=2, **parts)


def good(data_dir):
  CALLS.append(data_dir)
  return _made()


@pytest.fixture(autouse=True)
def module(monkeypatch):
  module = types.ModuleType("data_outside")
  module.good = good
  module.fails = lambda data_dir: {}["no such"]
  module.refuses = lambda data_dir: _raise(UserError("--data_dir: is missing"))
  module.arrays = lambda data_dir: np.zeros(3)
  module.empty = lambda data_dir: _made(test=_split(0))
  module.shapes = lambda data_dir: _made(test=_split(3, shape=(5, 6, 1)))
  module.labels = lambda data_dir: _made(test=_split(3, labels=3))
  module.floats = lambda data_dir: _made(
    Split(np.zeros((3, 2)), np.zeros(3, np.int64))
  )
  module.number = 3
  monkeypatch.setitem(sys.modules, "data_outside", module)


def _raise(error):
  raise error


def test_it_is_a_data_set_as_others_are():
  CALLS.clear()
  whole = data.load("data_outside:good", data_dir="there")
  assert whole.name == whole.describe()["name"] == "data_outside:good"
  assert whole.digest == _made().digest
  assert whole.mean == _made().mean
  spec = data.sizes("data_outside:good", "rgb32", examples=4, data_dir="there")
  assert (spec.train, spec.test, spec.image_shape) == (4, 4, (32, 32, 3))
  assert spec.label == "mine: counted; as 32x32x3; at most 4 examples a split"
  small = data.load("data_outside:good", "rgb32", examples=4, data_dir="there")
  assert small.train.images.shape == (4, 32, 32, 3)
  assert CALLS == ["there"]


@pytest.mark.parametrize(
  ("name", "said"),
  [
    ("nope", "has no 'nope'"),
    ("number", "is of type int, which cannot be called"),
    ("fails", "fails: KeyError: 'no such' ("),
    ("refuses", "--data_dir: is missing"),
    ("arrays", "returns a ndarray, and is to return a bnjax.lab.data.Dataset"),
    ("empty", "has no test examples"),
    ("shapes", "has test images of another shape or dtype than those of train"),
    ("labels", "has test labels from 0 to 2, and 2 classes"),
    ("floats", "fails: TypeError: a split is uint8, float32 or float64"),
  ],
)
def test_what_is_wrong_with_it_is_one_line(name, said):
  with pytest.raises(UserError) as error:
    data.load(f"data_outside:{name}")
  assert said in str(error.value)
  assert "\n" not in str(error.value)


def test_it_is_not_streamed():
  with pytest.raises(UserError, match="returns all of its data at once"):
    data.check_streamed("data_outside:good")
  with pytest.raises(UserError, match="returns all of its data at once"):
    data.open_records("data_outside:good", "train")
