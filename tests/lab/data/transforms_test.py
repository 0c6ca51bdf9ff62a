"""What may be done to images once, before training."""

import dataclasses

import numpy as np
import pytest

from bnjax.lab import data, errors
from bnjax.lab.data import transforms
from bnjax.lab.data.dataset import Dataset, Spec, Split


def _load(shape):
  """A source of noise in the place of a real one."""

  def load(name, spec, data_dir):
    draw = np.random.default_rng(0)

    def split(count):
      images = draw.integers(0, 256, (count, *shape), np.uint8)
      return Split(images, np.arange(count, dtype=np.int32))

    parts = [split(n) for n in (spec.train, spec.validation, spec.test)]
    return Dataset(name, spec.label, *parts, spec.num_classes)

  return load


@pytest.fixture
def noise(monkeypatch):
  """Adds a data set "noise" of images of a given shape; returns it loaded."""

  def add(*shape):
    source = data.DATASETS["digits"]
    spec = Spec("noise: bytes", 6, 2, 3, shape, 10)
    monkeypatch.setitem(
      data.DATASETS,
      "noise",
      dataclasses.replace(source, spec=spec, load=_load(shape)),
    )
    return data.load("noise")

  return add


def test_binary_cuts_above_127():
  images = np.arange(256, dtype=np.uint8).reshape(1, 16, 16, 1)
  found = transforms.binary(images)
  assert found.dtype == np.uint8
  np.testing.assert_array_equal(found.ravel(), [0] * 128 + [255] * 128)


def test_rgb32_puts_mnist_in_the_middle():
  images = np.arange(2 * 28 * 28).astype(np.uint8).reshape(2, 28, 28, 1) | 1
  found = transforms.rgb32(images)
  assert (found.dtype, found.shape) == (np.uint8, (2, 32, 32, 3))
  for channel in range(3):
    np.testing.assert_array_equal(found[:, 2:30, 2:30, channel], images[..., 0])
  assert np.count_nonzero(found) == 3 * images.size  # the border is black


def test_rgb32_with_an_odd_border():
  images = np.full((1, 31, 27, 1), 7, np.uint8)
  found = transforms.rgb32(images)
  rows, columns = np.nonzero(found[0, :, :, 0])
  assert (rows.min(), rows.max()) == (0, 30)
  assert (columns.min(), columns.max()) == (2, 28)


def test_rgb32_leaves_cifar_as_it_is():
  images = np.zeros((2, 32, 32, 3), np.uint8)
  assert transforms.rgb32(images) is images


def test_none_changes_nothing(noise):
  whole = noise(8, 8, 1)
  again = data.load("noise", "none")
  assert again.describe() == whole.describe()
  assert again.label == "noise: bytes"


def test_a_transform_describes_what_it_made(noise):
  whole = noise(8, 8, 1)
  found = data.load("noise", "rgb32")
  assert found.label == "noise: bytes; as 32x32x3"
  assert found.digest != whole.digest
  # The same sum of pixels, over three channels, spread over 32x32x3.
  assert found.mean == pytest.approx(whole.mean / 16, rel=1e-15)
  for name in ("train", "validation", "test"):
    before, after = getattr(whole, name), getattr(found, name)
    np.testing.assert_array_equal(
      after.images[:, 12:20, 12:20, 1], before.images[..., 0]
    )
    np.testing.assert_array_equal(after.labels, before.labels)


def test_the_mean_of_binary_images_is_the_share_of_white(noise):
  whole = noise(5, 5, 3)
  found = data.load("noise", "binary")
  white = np.count_nonzero(whole.train.images > 127)
  assert found.mean == white / whole.train.images.size
  assert found.label == "noise: bytes; binary (pixel > 127)"
  assert set(np.unique(found.test.images)) == {0, 255}


def test_a_transform_and_a_limit(noise):
  noise(8, 8, 1)
  some = data.load("noise", "binary", examples=3)
  assert some.label == (
    "noise: bytes; binary (pixel > 127); at most 3 examples a split"
  )
  whole = data.load("noise", "binary")
  np.testing.assert_array_equal(some.train.images, whole.train.images[:3])
  assert [len(some.train), len(some.validation), len(some.test)] == [3, 2, 3]


@pytest.mark.parametrize("transform", sorted(data.TRANSFORMS))
@pytest.mark.parametrize("examples", [0, 4])
def test_sizes_says_what_load_gives(noise, transform, examples):
  noise(9, 8, 1)
  found = data.load("noise", transform, examples=examples)
  spec = data.sizes("noise", transform, examples=examples)
  assert found.label == spec.label
  for name in ("train", "validation", "test"):
    images = getattr(found, name).images
    assert images.shape == (getattr(spec, name), *spec.image_shape)
    assert str(images.dtype) == spec.dtype


@pytest.mark.parametrize(
  ("shape", "written"),
  [
    ((28, 28, 3), "28x28x3"),
    ((33, 32, 1), "33x32x1"),
    ((32, 32, 4), "32x32x4"),
    ((64, 64, 3), "64x64x3"),
  ],
)
@pytest.mark.parametrize("function", [data.load, data.sizes])
def test_rgb32_refuses_other_shapes(noise, function, shape, written):
  noise(*shape)
  with pytest.raises(errors.UserError) as caught:
    function("noise", "rgb32")
  assert str(caught.value) == (
    "dataset.transform: 'rgb32' takes grey images of at most 32x32 pixels, or"
    f" 32x32x3, and the images of 'noise' are {written}"
  )


@pytest.mark.parametrize("transform", ["binary", "rgb32"])
@pytest.mark.parametrize("function", [data.load, data.sizes])
def test_floating_data_takes_none(function, transform):
  with pytest.raises(errors.UserError) as caught:
    function("gaussian", transform)
  assert str(caught.value) == (
    f"dataset.transform: {transform!r} takes uint8 images, and 'gaussian'"
    " holds float64; only 'none' applies to it"
  )


@pytest.mark.parametrize("function", [data.load, data.sizes])
def test_an_unknown_transform(function):
  with pytest.raises(errors.UserError) as caught:
    function("mnist", "bianry")
  assert str(caught.value) == (
    "dataset.transform: 'bianry' is not known; did you mean 'binary'? Choices:"
    " binary, none, rgb32"
  )


def test_what_is_wrong_is_said_before_anything_is_read(monkeypatch):
  source = dataclasses.replace(data.DATASETS["cifar10"], load=None)
  monkeypatch.setitem(data.DATASETS, "cifar10", source)
  with pytest.raises(errors.UserError, match="negative"):
    data.load("cifar10", "binary", examples=-5)
