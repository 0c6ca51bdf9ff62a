"""What a data set is."""

import hashlib
import json
import struct

import numpy as np
import pytest

from bnjax.lab.data import Dataset, Split


def _split(first, count=3):
  pixels = np.arange(first, first + count * 4, dtype=np.uint8)
  labels = np.arange(count, dtype=np.int32)
  return Split(pixels.reshape(count, 2, 2, 1), labels)


def _dataset(name="toy", test=None):
  test = _split(24) if test is None else test
  return Dataset(name, "toy: numbers", _split(0), _split(12), test, 3)


def test_digest_is_the_hash_of_names_shapes_and_bytes():
  labels = b"".join(bytes([i, 0, 0, 0]) for i in range(3))
  text = b"".join(
    name + b".images(3, 2, 2, 1)\n" + pixels + name + b".labels(3,)\n" + labels
    for name, pixels in (
      (b"train", bytes(range(0, 12))),
      (b"validation", bytes(range(12, 24))),
      (b"test", bytes(range(24, 36))),
    )
  )
  digest = "sha256:" + hashlib.sha256(text).hexdigest()[:16]
  assert _dataset().digest == digest == "sha256:0c22e301335c97cf"


def test_digest_ignores_the_name_and_memory_layout():
  strided = Split(
    np.asfortranarray(_split(24).images), _split(24).labels[::-1][::-1]
  )
  assert _dataset("other", strided).digest == _dataset().digest


def test_digest_sees_one_pixel_one_label_and_a_shape():
  pixel, label = _split(24), _split(24)
  pixel.images[2, 1, 1, 0] ^= 1
  label.labels[0] = 2
  shape = Split(_split(24).images.reshape(3, 1, 4, 1), _split(24).labels)
  digests = {_dataset(test=test).digest for test in (pixel, label, shape, None)}
  assert len(digests) == 4


def test_mean_is_exact():
  # One pixel off white: a sum in float32 would lose it.
  images = np.full((20_000, 28, 28, 1), 255, np.uint8)
  images[0, 0, 0, 0] = 254
  split = Split(images, np.zeros(20_000, np.int32))
  data = Dataset("toy", "toy", split, _split(0), _split(0), 1)
  total = 255 * 20_000 * 28 * 28
  assert data.mean == (total - 1) / total != 1


def test_describe_is_json():
  described = _dataset().describe()
  assert json.loads(json.dumps(described)) == {
    "name": "toy",
    "label": "toy: numbers",
    "train": 3,
    "validation": 3,
    "test": 3,
    "image_shape": [2, 2, 1],
    "num_classes": 3,
    "mean": 5.5 / 255,
    "digest": _dataset().digest,
  }


def _floating(dtype, first=0):
  values = np.arange(first, first + 6, dtype=dtype).reshape(3, 2)
  split = Split(values, np.zeros(3, np.int32))
  return Dataset("toy", "toy: numbers", split, split, split, 1)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_floating_data_is_used_as_it_is(dtype):
  data = _floating(dtype, 1)
  assert data.train.images.dtype == dtype
  assert data.mean == 0.0
  assert data.describe()["image_shape"] == [2]


def test_digest_of_floating_data_counts_its_dtype():
  values = struct.pack("<6f", *range(6))
  text = b"".join(
    name
    + b".images(3, 2) float32\n"
    + values
    + name
    + b".labels(3,)\n"
    + bytes(12)
    for name in (b"train", b"validation", b"test")
  )
  digest = "sha256:" + hashlib.sha256(text).hexdigest()[:16]
  assert _floating(np.float32).digest == digest == "sha256:3360b10e2fe87681"
  others = {_floating(np.float64).digest, _floating(np.float32, 1).digest}
  assert len({digest, *others}) == 3


def test_digest_tells_equal_bytes_of_two_dtypes_apart():
  zeros = [
    Dataset("z", "z: 0", *[Split(images, np.zeros(3, np.int32))] * 3, 1)
    for images in (
      np.zeros((3, 2, 2, 1), np.uint8),
      np.zeros((3, 2, 2, 1), np.float32),
      np.zeros((3, 2, 2, 1), np.float64),
    )
  ]
  assert len({data.digest for data in zeros}) == 3


def test_split_refuses_other_dtypes_and_shapes():
  images, labels = _split(0).images, _split(0).labels
  wanted = "uint8, float32 or float64 images and int32 labels, not"
  with pytest.raises(TypeError, match=f"{wanted} float16 and int32"):
    Split(images.astype(np.float16), labels)
  with pytest.raises(TypeError, match=f"{wanted} uint8 and int64"):
    Split(images, labels.astype(np.int64))
  with pytest.raises(ValueError, match=r"not \(3, 2, 2, 1\) and \(2,\)"):
    Split(images, labels[:2])
  with pytest.raises(ValueError, match=r"\[N, H, W, C\] .* \(3, 2, 2\) and"):
    Split(images[..., 0], labels)
  with pytest.raises(
    ValueError, match=r"float32 images \[N, \.\.\.\] .*\(3,\)"
  ):
    Split(np.zeros(3, np.float32), labels)
  with pytest.raises(ValueError, match=r"not \(3, 2\) and \(2,\)"):
    Split(np.zeros((3, 2), np.float64), labels[:2])
