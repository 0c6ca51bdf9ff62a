"""Reading what TFDS prepared, without TensorFlow: on a tiny directory."""

import dataclasses
import logging
import sys

import numpy as np
import pytest
import tiny_tfds

from bnjax.lab import data, errors
from bnjax.lab.data import prepared, provide
from bnjax.lab.data.dataset import Spec

for module in ("tensorflow_datasets", "array_record", "importlib_resources"):
  pytest.importorskip(module, reason=f"needs {module}, an extra of bnjax")

SPEC = Spec("tiny: noise", 7, 3, 4, (5, 6, 3), 10)


def _examples(seed, count):
  return tiny_tfds.examples(seed, count, SPEC.image_shape)


def _prepare_tiny(data_dir, file_format="array_record"):
  return tiny_tfds.prepare(
    data_dir, "tiny", "1.0.0", SPEC.image_shape, file_format=file_format
  )


@pytest.fixture
def data_dir(tmp_path, monkeypatch):
  monkeypatch.setenv("BNJAX_CACHE_DIR", str(tmp_path / "cache"))
  monkeypatch.setenv("HOME", str(tmp_path / "home"))
  monkeypatch.delenv("TFDS_DATA_DIR", raising=False)
  return tmp_path / "data"


def _load(data_dir=None, **kwargs):
  return prepared.load("tiny", SPEC, data_dir, version="1.0.0", **kwargs)


def test_the_first_of_train_are_validation(data_dir):
  _prepare_tiny(data_dir)
  tiny = _load(data_dir)
  images, labels = _examples(0, 10)
  np.testing.assert_array_equal(tiny.validation.images, images[:3])
  np.testing.assert_array_equal(tiny.validation.labels, labels[:3])
  np.testing.assert_array_equal(tiny.train.images, images[3:])
  np.testing.assert_array_equal(tiny.train.labels, labels[3:])
  np.testing.assert_array_equal(tiny.test.images, _examples(1, 4)[0])
  np.testing.assert_array_equal(tiny.test.labels, _examples(1, 4)[1])
  assert (tiny.name, tiny.label, tiny.num_classes) == ("tiny", SPEC.label, 10)


@pytest.mark.parametrize(
  ("name", "version", "codec"),
  [
    ("mnist", "3.0.1", "PNG"),
    ("cifar10", "3.0.2", "PNG"),
    ("cifar10_jpeg", "1.0.0", "JPEG"),
  ],
)
def test_what_the_registry_names(data_dir, monkeypatch, name, version, codec):
  source = data.DATASETS[name]
  spec = dataclasses.replace(source.spec, train=7, validation=3, test=4)
  monkeypatch.setitem(
    data.DATASETS, name, dataclasses.replace(source, spec=spec)
  )
  shape = spec.image_shape
  tiny_tfds.prepare(data_dir, name, version, shape, codec=codec)
  found = data.load(name, data_dir=data_dir)
  images, labels = tiny_tfds.examples(0, 10, shape)
  if codec == "JPEG":  # lossy: what was written is not what was drawn
    images = [tiny_tfds.decode(tiny_tfds.encode(i, codec)) for i in images]
  np.testing.assert_array_equal(found.validation.images, images[:3])
  np.testing.assert_array_equal(found.train.images, images[3:])
  np.testing.assert_array_equal(found.train.labels, labels[3:])
  assert len(found.test) == 4


def test_reading_in_several_chunks(data_dir, monkeypatch):
  _prepare_tiny(data_dir)
  monkeypatch.setattr(prepared, "_CHUNK", 4)
  np.testing.assert_array_equal(
    _load(data_dir).train.labels[3:], [*_examples(0, 10)[1][6:]]
  )


def test_reading_is_silent_and_without_tensorflow(data_dir, caplog, capfd):
  _prepare_tiny(data_dir)
  with caplog.at_level(logging.INFO):
    _load(data_dir)
  assert "tensorflow" not in sys.modules
  ours = [r for r in caplog.records if r.levelno >= logging.WARNING]
  assert (ours, *capfd.readouterr()) == ([], "", "")


@pytest.mark.parametrize("where", ["argument", "variable", "default"])
def test_where_it_is_found(data_dir, monkeypatch, where):
  if where == "default":
    data_dir = data_dir.parent / "home" / "tensorflow_datasets"
  _prepare_tiny(data_dir)
  if where != "argument":
    monkeypatch.setenv("TFDS_DATA_DIR", str(data_dir.parent / "elsewhere"))
  if where == "variable":
    monkeypatch.setenv("TFDS_DATA_DIR", str(data_dir))
  assert len(_load(data_dir if where == "argument" else None).test) == 4


def test_the_second_load_does_not_decode(data_dir, monkeypatch):
  _prepare_tiny(data_dir)
  first = _load(data_dir)
  monkeypatch.setattr(prepared, "_read_split", None)
  assert _load(data_dir).digest == first.digest


def test_a_directory_prepared_again_is_decoded_again(data_dir):
  directory = _prepare_tiny(data_dir)
  first = _load(data_dir)
  tiny_tfds.write_split(directory, "test", *_examples(2, 4))
  assert _load(data_dir).digest != first.digest


def test_damaged_records(data_dir):
  directory = _prepare_tiny(data_dir)
  (directory / "tiny-test.array_record-00000-of-00001").write_bytes(b"x" * 99)
  with pytest.raises(errors.UserError) as caught:
    _load(data_dir)
  text = str(caught.value)
  assert text.startswith(f"dataset.name: {directory} cannot be read (")
  assert text.endswith("); remove it and prepare it again")
  assert "\n" not in text


def test_the_tfrecord_format_without_tensorflow(data_dir, monkeypatch):
  directory = _prepare_tiny(data_dir, "tfrecord")
  monkeypatch.setattr(provide, "has_tensorflow", lambda: False)
  with pytest.raises(errors.UserError) as caught:
    _load(data_dir)
  assert str(caught.value) == (
    f"dataset.name: {directory} is in the format 'tfrecord', which only"
    " TensorFlow reads: pip install 'bnjax[tfds]', or prepare it again"
    " elsewhere, python -m bnjax.lab.data.prepare tiny --data_dir=DIRECTORY"
  )


def test_a_reader_that_is_not_installed(data_dir, monkeypatch):
  _prepare_tiny(data_dir)
  monkeypatch.setitem(sys.modules, "PIL", None)
  with pytest.raises(errors.UserError) as caught:
    _load(data_dir)
  assert str(caught.value) == (
    "dataset.name: reading the prepared 'tiny' needs the package PIL;"
    " pip install 'bnjax[lab]'"
  )


def test_what_cannot_be_downloaded(data_dir, monkeypatch):
  monkeypatch.setenv("TFDS_DATA_DIR", str(data_dir))
  with pytest.raises(errors.UserError) as caught:
    _load(downloadable=False)
  assert str(caught.value) == (
    f"dataset.name: no prepared 'tiny' 1.0.0 in {data_dir},"
    f" {data_dir.parent}/home/tensorflow_datasets (set TFDS_DATA_DIR or"
    " data_dir to another directory); it cannot be downloaded: it exists only"
    " as a prepared directory"
  )
