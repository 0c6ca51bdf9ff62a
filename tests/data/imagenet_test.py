"""ImageNet through TFDS: a tiny one, of photographs of one odd size."""

import dataclasses

import numpy as np
import pytest
import tiny_tfds

from bnjax import data, errors
from bnjax.data.cropping import CentralCrop, RandomCrop
from bnjax.data.images import Images
from bnjax.data.stream import Batches

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


@pytest.mark.parametrize("split", ["train", "validation", "test"])
def test_images_of_any_rows(tiny, split):
  images = data.open_images("imagenet2012", split, data_dir=tiny)
  assert len(images) == {"train": 7, "validation": 3, "test": 4}[split]
  pixels, labels = images.read([2, 0, 2])
  assert (pixels.shape, pixels.dtype) == ((3, 16, 16, 3), np.uint8)
  drawn = tiny_tfds.examples(1 if split == "test" else 0, 10, PHOTOGRAPH)[1]
  first = {"train": 3, "validation": 0, "test": 0}[split]
  if split == "test":
    drawn = tiny_tfds.examples(1, 4, PHOTOGRAPH)[1]
  np.testing.assert_array_equal(labels, drawn[[first + 2, first, first + 2]])
  # Twice the same row: cut in two ways to train, in one to evaluate.
  assert np.array_equal(pixels[0], pixels[2]) == (split != "train")


def test_what_is_drawn_depends_on_seed_step_and_place(tiny):
  images = data.open_images("imagenet2012", "train", data_dir=tiny)
  read = lambda rows, **how: images.read(rows, **how)[0]
  whole = read([0, 1, 2, 3], seed=1, step=5)
  np.testing.assert_array_equal(whole, read([0, 1, 2, 3], seed=1, step=5))
  np.testing.assert_array_equal(
    whole[2:], read([2, 3], seed=1, step=5, first=2)
  )
  for how in ({"seed": 2, "step": 5}, {"seed": 1, "step": 6}):
    assert not np.array_equal(whole, read([0, 1, 2, 3], **how))
  plain = data.open_images(
    "imagenet2012", "train", augment=False, data_dir=tiny
  )
  one, other = (plain.read([0], step=step)[0] for step in (0, 1))
  np.testing.assert_array_equal(one, other)


def test_it_streams(tiny):
  records = data.open_records("imagenet2012", "train", data_dir=tiny)
  batch = Batches(records, 4, 0, RandomCrop(16))[1]
  assert batch["images"].shape == (4, 16, 16, 3)


def test_data_sets_of_one_size_are_decoded(tmp_path, monkeypatch):
  row = data.DATASETS["cifar10"]
  spec = dataclasses.replace(row.spec, train=7, validation=3, test=4)
  monkeypatch.setitem(
    data.DATASETS, "cifar10", dataclasses.replace(row, spec=spec)
  )
  tiny_tfds.prepare(tmp_path, "cifar10", "3.0.2", spec.image_shape)
  images = data.open_images("cifar10", "train", data_dir=tmp_path)
  assert images == Images(images.records)
  expected = tiny_tfds.examples(0, 10, spec.image_shape)[0][3:]
  np.testing.assert_array_equal(images.read([1, 0])[0], expected[[1, 0]])


def test_it_does_not_fit_in_memory():
  with pytest.raises(errors.UserError) as caught:
    data.load("imagenet2012")
  assert str(caught.value) == (
    "dataset.name: 'imagenet2012' would take 191 GB of memory, so it is only"
    " read while it is used: data.open_images"
  )


def test_what_to_do_where_it_is_not_prepared(tmp_path):
  with pytest.raises(errors.UserError) as caught:
    data.open_images("imagenet2012", "train", data_dir=tmp_path)
  assert str(caught.value) == (
    f"dataset.name: no prepared 'imagenet2012' 5.1.0 in {tmp_path} (set"
    " TFDS_DATA_DIR or data_dir to another directory); only you may fetch"
    " ILSVRC2012_img_train.tar and ILSVRC2012_img_val.tar from"
    " https://image-net.org into a DIRECTORY, then: pip install 'bnjax[tfds]'"
    " && python -m bnjax.data.prepare imagenet2012 --manual_dir=DIRECTORY"
  )


def test_another_number_of_classes(tiny, monkeypatch):
  row = data.DATASETS["imagenet2012"]
  spec = dataclasses.replace(row.spec, num_classes=1_000)
  monkeypatch.setitem(
    data.DATASETS, "imagenet2012", dataclasses.replace(row, spec=spec)
  )
  with pytest.raises(errors.UserError) as caught:
    data.open_images("imagenet2012", "train", data_dir=tiny)
  assert str(caught.value) == (
    f"dataset.name: {tiny}/imagenet2012/5.1.0 has 10 classes, not 1000; remove"
    " it and prepare it again"
  )
