"""Rows taken as words are the rows."""

import jax
import numpy as np
import pytest

from bnjax.lab.train.batches import as_images, as_words


@pytest.mark.parametrize(
  "shape", [(4, 4, 1), (2, 2, 3), (3, 3, 1), (28, 28, 1)]
)
def test_rows_are_the_same_to_the_byte(shape):
  rng = np.random.default_rng(0)
  images = rng.integers(0, 256, (11, *shape), dtype=np.uint8)
  rows = np.array([3, 0, 10, 3])
  got = jax.jit(lambda x, r: as_images(x[r], shape))(as_words(images), rows)
  assert got.dtype == np.uint8
  np.testing.assert_array_equal(got, images[rows])


def test_bytes_that_do_not_divide_stay_bytes():
  assert as_words(np.zeros((5, 3, 3, 1), np.uint8)).dtype == np.uint8
  assert as_words(np.zeros((5, 4, 3, 1), np.uint8)).shape == (5, 3)
