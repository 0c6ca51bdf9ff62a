"""L1 batch norm: closed forms, a float64 reference, running statistics."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import references
from references import error

from bnjax import ops


def reference(x, scale, bias, epsilon=1e-5):
  c = np.asarray(x, np.float64) - np.mean(x, 0, np.float64)
  deviation = np.sqrt(np.pi / 2) * np.abs(c).mean(0)
  return c / np.sqrt(deviation**2 + epsilon) * scale + bias


def test_literal_values():
  x = jnp.array([[-3.0], [1.0], [1.0], [1.0]])  # Mean |x - 0| is 3/2.
  y, moments = ops.l1_batch_norm(x, jnp.array([1.5]), epsilon=0.0)
  np.testing.assert_allclose(y, x * np.sqrt(2 / np.pi), rtol=1e-6)
  np.testing.assert_allclose(moments.var, [9 / 8 * np.pi], rtol=1e-6)


@pytest.mark.parametrize("mean", [0, 1e4])
def test_equals_float64(mean):
  x = references.batch((512, 8), mean)
  scale, bias = references.affine(8)
  y, moments = ops.l1_batch_norm(x, scale, bias)
  assert error(y, reference(x, scale, bias)) < 2e-6
  np.testing.assert_allclose(moments.mean, x.mean(0, np.float64), rtol=1e-5)


def test_of_gaussian_numbers_it_is_batch_norm():
  x = references.batch((20_000, 2), 5.0, 3.0)
  y, _ = ops.l1_batch_norm(x)
  expected, _ = ops.batch_norm(x)
  np.testing.assert_allclose(y, expected, atol=0.05)


def test_inference_by_the_moments_is_training():
  x = references.batch((32, 4), 5.0)
  y, moments = ops.l1_batch_norm(x)
  running = ops.update_running(ops.init_running(4), moments, ops.cumulative())
  np.testing.assert_allclose(
    ops.normalize(x, running.mean, running.var), y, rtol=1e-4, atol=1e-5
  )


def test_a_constant_has_gradient_zero_and_one_row_is_refused():
  x = np.full((4, 2), 3.0, np.float32)
  gradient = jax.grad(lambda x: (ops.l1_batch_norm(x)[0] * x).sum())(x)
  assert np.isfinite(gradient).all()
  with pytest.raises(ValueError, match="no variance"):
    ops.l1_batch_norm(x[:1])
