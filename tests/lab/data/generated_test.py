"""Data sets that are drawn."""

import numpy as np

from bnjax.lab import data


def test_gaussian_is_the_first_thousand_rows_of_one_stream():
  gaussian = data.load("gaussian")
  stream = np.random.Generator(np.random.PCG64(0)).standard_normal((1200, 100))
  np.testing.assert_array_equal(gaussian.train.images, stream[:1000])
  np.testing.assert_array_equal(gaussian.validation.images, stream[1000:1100])
  np.testing.assert_array_equal(gaussian.test.images, stream[1100:])
  # The stream itself, so that a NumPy that draws otherwise is noticed.
  np.testing.assert_allclose(
    gaussian.train.images[0, :3],
    [0.12573022, -0.13210486, 0.64042265],
    rtol=1e-6,
  )


def test_gaussian_is_standard_normal_float64_without_classes():
  gaussian = data.load("gaussian")
  values = gaussian.train.images
  assert (values.dtype, values.shape) == (np.float64, (1000, 100))
  # 1e5 independent values: five standard errors of each moment.
  assert abs(values.mean()) < 5 / np.sqrt(values.size)
  assert abs(values.var() - 1) < 5 * np.sqrt(2 / values.size)
  assert abs((values**3).mean()) < 5 * np.sqrt(15 / values.size)
  assert abs((values**4).mean() - 3) < 5 * np.sqrt(96 / values.size)
  for split in (gaussian.train, gaussian.validation, gaussian.test):
    assert not split.labels.any()
  assert gaussian.mean == 0.0
  assert data.load("gaussian").digest == gaussian.digest


def test_line_is_its_points_in_order():
  line = data.load("line")
  values = line.train.images
  assert values.dtype == np.float64
  np.testing.assert_array_equal(values[:, 0], np.ones(256))
  assert (values[0, 1], values[-1, 1]) == (-2, 2)
  np.testing.assert_allclose(np.diff(values[:, 1]), 4 / 255)
  np.testing.assert_array_equal(line.test.images, values)
  assert not np.any(line.train.labels)
