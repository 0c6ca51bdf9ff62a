"""ImageNet through TFDS: a tiny one, of photographs of one odd size."""

import dataclasses

import numpy as np
import pytest
import tiny_tfds

from bnjax.lab import data, errors
from bnjax.lab.data.cropping import CentralCrop, RandomCrop
from bnjax.lab.data.stream import Batches

for module in ("tensorflow_datasets", "array_record", "importlib_resources"):
  pytest.importorskip(module, reason=f"needs {module}, an extra of bnjax")

PHOTOGRAPH = (40, 52, 3)


@pytest.fixture(scope="module")
def directory(tmp_path_factory):
  """10 photographs to train, of which 3 are validation, and 4 to test."""
  parent = tmp_path_factory.mktemp("data")
  tiny_tfds.prepare(
    parent,
    "imagenet2012",
    "5.1.0",
    PHOTOGRAPH,
    codec="JPEG",
    test_name="validation",
  )
  return parent


@pytest.fixture
def tiny(directory, monkeypatch):
  """The registry's row, for so few, in crops of 16x16."""
  row = data.DATASETS["imagenet2012"]
  spec = dataclasses.replace(
    row.spec,
    train=7,
    validation=3,
    test=4,
    num_classes=10,
    image_shape=(16, 16, 3),
  )
  small = dataclasses.replace(
    row, spec=spec, prepare=(RandomCrop(16), CentralCrop(16, 20))
  )
  monkeypatch.setitem(data.DATASETS, "imagenet2012", small)
  return directory


def test_what_is_known_of_it():
  spec = data.sizes("imagenet2012")
  assert spec.train + spec.validation == 1_281_167
  assert (spec.test, spec.num_classes) == (50_000, 1_000)
  assert spec.image_shape == (224, 224, 3)
  training, evaluation = data.DATASETS["imagenet2012"].prepare
  assert training == RandomCrop(224)
  assert evaluation == CentralCrop(224, 256)


def _first(directory, split, size, seed=None):
  """The first minibatch of a split, prepared as the registry says."""
  records = data.open_records("imagenet2012", split, data_dir=directory)
  records.check()
  training, evaluation = data.DATASETS["imagenet2012"].prepare
  prepare = evaluation if seed is None else training
  return Batches(records, size, seed, prepare)[0]


@pytest.mark.parametrize("split", ["train", "validation", "test"])
def test_one_pass_over_a_split(tiny, split):
  size = {"train": 7, "validation": 3, "test": 4}[split]
  batch = _first(tiny, split, size)
  first = 3 if split == "train" else 0
  images, labels = tiny_tfds.examples(
    int(split == "test"), 4 if split == "test" else 10, PHOTOGRAPH
  )
  np.testing.assert_array_equal(batch["labels"], labels[first:][:size])
  encoded = tiny_tfds.encode(images[first], "JPEG")
  expected = CentralCrop(16, 20)(encoded)
  np.testing.assert_array_equal(batch["images"][0], expected)
  assert batch["images"].shape == (size, 16, 16, 3)


def test_training_cuts_at_random(tiny):
  one, same, other = (
    _first(tiny, "train", 7, seed)["images"] for seed in (0, 0, 1)
  )
  np.testing.assert_array_equal(one, same)
  assert not np.array_equal(np.sort(one, 0), np.sort(other, 0))
  assert one.shape == (7, 16, 16, 3)


def test_it_does_not_fit_in_memory():
  with pytest.raises(errors.UserError) as caught:
    data.load("imagenet2012")
  assert str(caught.value) == (
    "dataset.name: 'imagenet2012' would take 191 GB of memory, so it is only"
    " read while it is used: config.stream=True"
  )


def test_what_to_do_where_it_is_not_prepared(tmp_path):
  with pytest.raises(errors.UserError) as caught:
    data.open_records("imagenet2012", "train", data_dir=tmp_path)
  assert str(caught.value) == (
    f"dataset.name: no prepared 'imagenet2012' 5.1.0 in {tmp_path} (set"
    " TFDS_DATA_DIR or data_dir to another directory); only you may fetch"
    " ILSVRC2012_img_train.tar and ILSVRC2012_img_val.tar from"
    " https://image-net.org into a DIRECTORY, then: pip install 'bnjax[tfds]'"
    " && python -m bnjax.lab.data.prepare imagenet2012 --manual_dir=DIRECTORY"
  )


def test_another_number_of_classes(tiny, monkeypatch):
  row = data.DATASETS["imagenet2012"]
  spec = dataclasses.replace(row.spec, num_classes=1_000)
  monkeypatch.setitem(
    data.DATASETS, "imagenet2012", dataclasses.replace(row, spec=spec)
  )
  with pytest.raises(errors.UserError) as caught:
    _first(tiny, "train", 7)
  assert str(caught.value) == (
    f"dataset.name: {tiny}/imagenet2012/5.1.0 has 10 classes, not 1000; remove"
    " it and prepare it again"
  )
