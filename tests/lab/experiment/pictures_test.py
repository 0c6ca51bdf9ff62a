"""Some images of a data set as one picture."""

import numpy as np
import pytest

from bnjax.lab.experiment.predictions import sprite

Image = pytest.importorskip("PIL.Image")


def test_images_lie_where_it_says_pixel_by_pixel(tmp_path):
  images = np.random.default_rng(0).integers(0, 256, (60, 3, 4, 3), np.uint8)
  order = np.arange(60)[::-1]
  places = sprite(tmp_path / "p.png", images, order)
  assert sorted(places) == list(range(60))
  with Image.open(tmp_path / "p.png") as opened:
    picture = np.asarray(opened)
  assert picture.shape == (3 * 3, 25 * 4, 3)
  for index, (left, top, width, height) in places.items():
    found = picture[top : top + height, left : left + width]
    np.testing.assert_array_equal(found, images[index])
  assert places[59][:2] == [0, 0]


def test_grey_images_are_kept_grey_and_large_ones_made_small(tmp_path):
  images = np.full((2, 128, 64, 3), 7, np.uint8)
  places = sprite(tmp_path / "p.png", images, np.arange(2))
  assert places == {0: [0, 0, 32, 64], 1: [32, 0, 32, 64]}
  with Image.open(tmp_path / "p.png") as picture:
    assert (picture.mode, picture.size) == ("L", (64, 64))


def test_there_is_room_for_some_images(tmp_path):
  images = np.zeros((1200, 2, 2, 1), np.uint8)
  assert len(sprite(tmp_path / "p.png", images, np.arange(1200))) == 1000
  images = np.zeros((200, 64, 64, 3), np.uint8)
  images[..., 0] = 1
  assert len(sprite(tmp_path / "p.png", images, np.arange(200))) == 162


@pytest.mark.parametrize(
  "images",
  [np.zeros((2, 3, 3, 1), np.float32), np.zeros((2, 3, 3, 2), np.uint8)],
)
def test_of_other_data_there_is_no_picture(tmp_path, images):
  assert sprite(tmp_path / "p.png", images, np.arange(2)) == {}
  assert not list(tmp_path.iterdir())
