"""The table of data sets."""

import subprocess
import sys

import numpy as np
import pytest

from bnjax.lab import data, errors
from bnjax.lab.data import packaged, registry

SIZES = {
  "mnist": (55_000, 5_000, 10_000, (28, 28, 1)),
  "mnist5k": (4_000, 500, 500, (28, 28, 1)),
  "cifar10": (45_000, 5_000, 10_000, (32, 32, 3)),
  "cifar10_jpeg": (45_000, 5_000, 10_000, (32, 32, 3)),
  "imagenet2012": (1_271_167, 10_000, 50_000, (224, 224, 3)),
  "digits": (1_197, 300, 300, (8, 8, 1)),
  "gaussian": (1_000, 100, 100, (100,)),
  "line": (256, 256, 256, (2,)),
}


def test_sizes_are_known_without_loading():
  found = {
    name: (spec.train, spec.validation, spec.test, spec.image_shape)
    for name in data.DATASETS
    for spec in [data.sizes(name)]
  }
  assert found == SIZES
  classes = {name: data.sizes(name).num_classes for name in SIZES}
  others = {name: n for name, n in classes.items() if n != 10}
  assert others == {"gaussian": 1, "imagenet2012": 1000, "line": 1}
  floating = {name for name in SIZES if data.sizes(name).dtype != "uint8"}
  assert floating == {"gaussian", "line"}


def test_labels_begin_with_the_name():
  for name in data.DATASETS:
    assert data.sizes(name).label.startswith(f"{name}: ")
  assert "re-encoded as JPEG" in data.sizes("cifar10_jpeg").label


@pytest.mark.parametrize("function", [data.load, data.sizes])
def test_an_unknown_name(function):
  with pytest.raises(errors.UserError) as caught:
    function("mnsit")
  assert str(caught.value) == (
    "dataset.name: 'mnsit' is not known; did you mean 'mnist'? Choices:"
    " cifar10, cifar10_jpeg, digits, gaussian, imagenet2012, line, mnist,"
    " mnist5k"
  )


def test_other_sizes_than_promised_are_an_error(monkeypatch):
  pytest.importorskip("sklearn", reason="scikit-learn carries digits")
  spec = registry.Spec("digits: fewer", 1_000, 300, 300, (8, 8, 1), 10)
  source = registry.Source(spec, packaged.load_digits)
  monkeypatch.setitem(registry.DATASETS, "digits", source)
  with pytest.raises(errors.UserError) as caught:
    data.load("digits")
  assert str(caught.value) == (
    "dataset.name: the 'digits' found has train images of shape (1197, 8, 8,"
    " 1), not (1000, 8, 8, 1); remove it and prepare it again"
  )


def test_the_first_examples_of_each_split():
  pytest.importorskip("sklearn", reason="scikit-learn carries digits")
  whole = data.load("digits")
  some = data.load("digits", examples=400)
  np.testing.assert_array_equal(some.train.images, whole.train.images[:400])
  np.testing.assert_array_equal(some.train.labels, whole.train.labels[:400])
  np.testing.assert_array_equal(some.test.images, whole.test.images)
  assert some.label == f"{whole.label}; at most 400 examples a split"
  assert some.digest != whole.digest
  # exact: of the 400 examples, in integers
  total = int(whole.train.images[:400].astype(np.int64).sum())
  assert some.mean == total / (255 * 400 * 64) != whole.mean
  sizes = data.sizes("digits", examples=400)
  assert (sizes.train, sizes.validation, sizes.test) == (400, 300, 300)


def test_a_limit_above_every_split_changes_nothing():
  assert data.sizes("digits", examples=1_197) == data.sizes("digits")
  assert data.sizes("digits", examples=1_196) != data.sizes("digits")


@pytest.mark.parametrize("function", [data.load, data.sizes])
def test_a_negative_limit(function):
  with pytest.raises(errors.UserError) as caught:
    function("mnist", examples=-1)
  assert str(caught.value) == (
    "dataset.examples: -1 is negative; 0 means all examples"
  )


def test_importing_is_light():
  heavy = ["tensorflow_datasets", "tensorflow", "mlxtend", "sklearn", "PIL"]
  code = (
    "import sys, bnjax.lab.data;"
    f"print([name for name in {heavy} if name in sys.modules])"
  )
  ran = subprocess.run(
    [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True
  )
  assert (ran.stdout, ran.stderr, ran.returncode) == ("[]\n", "", 0)
