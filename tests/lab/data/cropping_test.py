"""Parts of photographs: where they lie, and that they are what they show."""

import io
import math
import pickle

import numpy as np
import pytest
import tiny_tfds

from bnjax.lab import errors
from bnjax.lab.data.cropping import CentralCrop, RandomCrop

pytest.importorskip("PIL", reason="PIL decodes images")


def _ramp(height, width):
  """Red is twice the row, green twice the column: pixels know their place."""
  rows, columns = np.mgrid[:height, :width]
  image = np.stack([2 * rows, 2 * columns, 0 * rows], axis=-1)
  return image.astype(np.uint8)


def _generator(seed=0):
  return np.random.Generator(np.random.PCG64(seed))


def test_a_random_crop_is_a_part_of_the_image():
  encoded = tiny_tfds.encode(_ramp(100, 120))
  crop = RandomCrop(size=16)
  rows, columns, mirrored = [], [], 0
  for seed in range(200):
    y = crop(encoded, _generator(seed)).astype(int)
    assert y.shape == (16, 16, 3)
    down, right = y[-1, 0, 0] - y[0, 0, 0], y[0, -1, 1] - y[0, 0, 1]
    mirrored += right < 0
    # From the first to the last of 16 pixels are 15/16 of a side.
    rows.append(down / 2 * 16 / 15)
    columns.append(abs(right) / 2 * 16 / 15)
  area = np.multiply(rows, columns) / (100 * 120)
  ratio = np.divide(columns, rows)
  assert 75 < mirrored < 125
  assert 0.06 < area.min() < 0.14
  assert area.max() > 0.85
  assert 0.7 < ratio.min() < 0.82
  assert 1.22 < ratio.max() < 1.45
  assert abs(np.median(area) - 0.5) < 0.1


def test_the_same_generator_gives_the_same_crop():
  encoded = tiny_tfds.encode(_ramp(40, 50))
  crop = pickle.loads(pickle.dumps(RandomCrop(8)))
  one, same, other = (crop(encoded, _generator(seed)) for seed in (3, 3, 4))
  np.testing.assert_array_equal(one, same)
  assert not np.array_equal(one, other)
  assert one.flags.c_contiguous


def test_an_image_too_narrow_for_any_part():
  y = RandomCrop(4, least_area=1.0, mirror=False)(
    tiny_tfds.encode(_ramp(100, 4)), _generator()
  )
  assert (y[:, 0, 0] // 2).tolist() == [48, 49, 50, 51]  # the middle square


def test_a_central_crop():
  # No resizing: 20 is the shorter side already.
  y = CentralCrop(size=10, shorter=20)(tiny_tfds.encode(_ramp(20, 30)))
  np.testing.assert_array_equal(y, _ramp(20, 30)[5:15, 10:20])
  half = CentralCrop(size=10, shorter=10)(tiny_tfds.encode(_ramp(20, 40)))
  assert half.shape == (10, 10, 3)
  assert abs(int(half[5, 0, 1]) - 2 * 10) <= 2  # starts at column 10 of 40
  larger = CentralCrop(size=8, shorter=8)(tiny_tfds.encode(_ramp(4, 6)))
  assert larger.shape == (8, 8, 3)


def test_grey_photographs_have_three_channels():
  grey = np.full((9, 9, 1), 77, np.uint8)
  y = CentralCrop(4, 4)(tiny_tfds.encode(grey))
  np.testing.assert_array_equal(y, np.full((4, 4, 3), 77))


@pytest.mark.parametrize(
  ("make", "text"),
  [
    (lambda: RandomCrop(0), "size: 0 is too small; at least 1"),
    (lambda: CentralCrop(0), "size: 0 is too small; at least 1"),
    (lambda: RandomCrop(least_area=0.0), "least_area: 0.0 is not in (0, 1]"),
    (lambda: RandomCrop(ratio=0.5), "ratio: 0.5 is less than 1"),
    (
      lambda: CentralCrop(224, 200),
      "shorter: 200 is less than the crop's 224",
    ),
  ],
)
def test_numbers_that_make_no_sense(make, text):
  with pytest.raises(errors.UserError) as caught:
    make()
  assert str(caught.value) == text


def test_a_jpeg_in_another_mode():
  from PIL import Image

  file = io.BytesIO()
  Image.new("CMYK", (12, 9), (0, 255, 255, 0)).save(file, "JPEG")
  y = RandomCrop(8)(file.getvalue(), _generator())
  assert (y[..., 0] > 200).all()
  assert math.isclose(y[..., 1:].mean(), 0, abs_tol=60)
