"""Random access to encoded examples."""

import dataclasses
import io
import pickle

import numpy as np
import pytest
import tiny_tfds

from bnjax.lab import data, errors
from bnjax.lab.data import provide
from bnjax.lab.data.cropping import CentralCrop
from bnjax.lab.data.records import Records, decode_image

for module in ("tensorflow_datasets", "array_record", "importlib_resources"):
  pytest.importorskip(module, reason=f"needs {module}, an extra of bnjax")

VERSIONS = {"mnist": "3.0.1", "cifar10": "3.0.2", "cifar10_jpeg": "1.0.0"}


@pytest.fixture
def tiny(tmp_path, monkeypatch):
  """Makes a data set of the registry tiny: 3 + 7 and 4 examples."""
  monkeypatch.setenv("BNJAX_CACHE_DIR", str(tmp_path / "cache"))

  def make(name, **kwargs):
    source = data.DATASETS[name]
    spec = dataclasses.replace(source.spec, train=7, validation=3, test=4)
    small = dataclasses.replace(source, spec=spec)
    monkeypatch.setitem(data.DATASETS, name, small)
    return tiny_tfds.prepare(
      tmp_path, name, VERSIONS[name], spec.image_shape, **kwargs
    )

  return make


@pytest.mark.parametrize("name", sorted(VERSIONS))
@pytest.mark.parametrize("split", ["train", "validation", "test"])
def test_records_are_what_load_decodes(tiny, tmp_path, name, split):
  tiny(name, codec="JPEG" if name == "cifar10_jpeg" else "PNG")
  records = data.open_records(name, split, data_dir=tmp_path)
  whole = getattr(data.load(name, data_dir=tmp_path), split)
  records.check()
  assert len(records) == len(whole)
  rows = [len(whole) - 1, 0, 1, 0]  # in any order, and twice
  encoded, labels = records.read(rows)
  images = [decode_image(one, records.channels) for one in encoded]
  np.testing.assert_array_equal(images, whole.images[rows])
  np.testing.assert_array_equal(labels, whole.labels[rows])
  assert labels.dtype == np.int32


def test_a_copy_opens_the_files_anew(tiny, tmp_path):
  tiny("mnist")
  records = data.open_records("mnist", "train", data_dir=tmp_path)
  before = pickle.dumps(records)
  expected = records.read([2])[0]
  assert pickle.dumps(records) == before
  assert pickle.loads(before).read([2])[0] == expected


def test_fewer_examples_than_promised(tiny, tmp_path):
  directory = tiny("mnist", train=9)
  with pytest.raises(errors.UserError) as caught:
    data.open_records("mnist", "train", data_dir=tmp_path).check()
  assert str(caught.value) == (
    f"dataset.name: {directory} has 9 train examples, not 10; remove it and"
    " prepare it again"
  )


def test_another_format(tiny, tmp_path, monkeypatch):
  directory = tiny("mnist", file_format="tfrecord")
  monkeypatch.setattr(provide, "has_tensorflow", lambda: False)
  with pytest.raises(errors.UserError) as caught:
    data.open_records("mnist", "train", data_dir=tmp_path).check()
  assert str(caught.value) == (
    f"dataset.name: {directory} is not in the format 'array_record', the one"
    " that is read at random; prepare it again elsewhere, python -m"
    " bnjax.lab.data.prepare --data_dir=DIRECTORY"
  )


def test_a_damaged_description(tmp_path):
  (tmp_path / "dataset_info.json").write_text("{")
  with pytest.raises(errors.UserError, match=r"cannot be read .*prepare it"):
    Records(tmp_path, "train", 0, 1, 3).check()


@pytest.mark.parametrize("codec", ["PNG", "JPEG"])
def test_a_damaged_image(codec):
  image = np.random.default_rng(0).integers(0, 256, (9, 9, 3), np.uint8)
  encoded = tiny_tfds.encode(image, codec)
  for content in (b"", encoded[:40], encoded[: len(encoded) // 2], bytes(99)):
    for decode in (decode_image, CentralCrop(4, 4)):
      with pytest.raises(errors.UserError, match="cannot be decoded") as error:
        decode(content)
      assert "\n" not in str(error.value)


def test_what_is_not_prepared(tmp_path):
  with pytest.raises(errors.UserError, match=r"no prepared 'cifar10_jpeg' 1\."):
    data.open_records("cifar10_jpeg", "test", data_dir=tmp_path)


def test_what_is_only_loaded_whole():
  with pytest.raises(errors.UserError) as caught:
    data.open_records("digits", "train")
  assert str(caught.value) == (
    "stream: 'digits' is small and only loaded as a whole; what can be"
    " read while it is used: cifar10, cifar10_jpeg, imagenet2012, mnist"
  )


def test_unknown_names():
  with pytest.raises(errors.UserError, match=r"split: 'dev' is not known"):
    data.open_records("mnist", "dev")
  with pytest.raises(errors.UserError, match=r"dataset\.name: 'minst' is not"):
    data.open_records("minst", "train")


def test_images_of_another_mode_are_converted():
  from PIL import Image

  grey = np.arange(12, dtype=np.uint8).reshape(3, 4, 1)
  encoded = tiny_tfds.encode(grey)
  np.testing.assert_array_equal(decode_image(encoded, 1), grey)
  np.testing.assert_array_equal(
    decode_image(encoded), np.repeat(grey, 3, axis=-1)
  )
  file = io.BytesIO()
  Image.new("CMYK", (4, 3), (0, 255, 255, 0)).save(file, "JPEG")
  red = decode_image(file.getvalue())
  assert red.shape == (3, 4, 3)
  assert (red[..., 0] > 200).all()
  assert (red[..., 1:] < 60).all()
