"""Filter response normalization and its thresholded linear unit."""

import jax
import numpy as np
import pytest
import references
from references import error

from bnjax import ops

X = references.batch((4, 5, 3, 6), 1.0, 2.0)
SCALE, BIAS = references.affine(6)
THRESHOLD = np.linspace(-1, 1, 6).astype(np.float32)


def reference(x, epsilon):
  square = np.mean(np.float64(x) ** 2, (1, 2), keepdims=True)
  y = x / np.sqrt(square + np.abs(epsilon)) * SCALE + BIAS
  return np.maximum(y, THRESHOLD)


@pytest.mark.parametrize("epsilon", [1e-6, -0.5, np.arange(6, dtype="f")])
def test_equals_float64(epsilon):
  y = ops.filter_response_norm(X, SCALE, BIAS, THRESHOLD, epsilon=epsilon)
  assert error(y, reference(X, epsilon)) < 1e-6


def test_without_space_it_is_x_over_its_magnitude():
  x = np.float32([[3.0, -4.0, 0.0]])
  y = ops.filter_response_norm(x, epsilon=16.0)
  np.testing.assert_allclose(y, [[0.6, -(0.5**0.5), 0.0]], rtol=1e-6)


def test_zeros_are_finite_and_epsilon_can_be_learned():
  zeros = np.zeros_like(X)
  gradient = jax.grad(lambda x: ops.filter_response_norm(x).sum())(zeros)
  np.testing.assert_allclose(gradient, 1e3, rtol=1e-5)
  slope = jax.grad(lambda e: ops.filter_response_norm(X, epsilon=e).var())(-0.1)
  assert slope > 0  # Away from zero it divides by more.


def test_shapes_that_do_not_fit_are_refused():
  with pytest.raises(ValueError, match="threshold has shape"):
    ops.filter_response_norm(X, threshold=SCALE[:2])
