"""Weight standardization: closed forms, peers, gradients."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import references

from bnjax import ops

KERNEL = references.batch((3, 3, 4, 8), 0.1, 0.05)


def test_literal_values():
  kernel = jnp.array([[1.0, 0.0], [5.0, 0.0]])
  w = ops.standardize_kernel(kernel, jnp.array([3.0, 3.0]), epsilon=1e-6)
  np.testing.assert_allclose(w, [[-3, 0], [3, 0]], rtol=1e-6)


def test_each_output_has_mean_zero_and_variance_one():
  w = ops.standardize_kernel(KERNEL, epsilon=0.0)
  np.testing.assert_allclose(w.mean((0, 1, 2)), 0, atol=1e-6)
  np.testing.assert_allclose(w.var((0, 1, 2)), 1, rtol=1e-5)
  gain = np.arange(1.0, 9, dtype=np.float32)
  w = ops.standardize_kernel(KERNEL, gain, epsilon=0.0, by_fan_in=True)
  np.testing.assert_allclose((w**2).sum((0, 1, 2)), gain**2, rtol=1e-5)


def test_equals_torch_batch_norm_of_the_kernel():
  torch = pytest.importorskip("torch")
  kernel = torch.tensor(np.transpose(KERNEL, (3, 2, 0, 1)))
  theirs = torch.nn.functional.batch_norm(
    kernel.reshape(1, 8, -1), None, None, training=True, eps=1e-5
  ).reshape(kernel.shape)
  ours = ops.standardize_kernel(np.asarray(kernel), output_axes=0)
  np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-5)


def test_gradient_has_mean_zero_and_is_orthogonal_to_the_kernel():
  x = references.batch((2, 8, 8, 4))
  conv = nn.Conv(8, (3, 3), use_bias=False)

  def loss(kernel):
    w = ops.standardize_kernel(kernel, epsilon=0.0)
    return (conv.apply({"params": {"kernel": w}}, x) ** 2).mean()

  gradient = jax.grad(loss)(jnp.asarray(KERNEL))
  assert np.abs(gradient).max() > 0.1
  np.testing.assert_allclose(gradient.sum((0, 1, 2)), 0, atol=1e-4)
  np.testing.assert_allclose((gradient * KERNEL).sum((0, 1, 2)), 0, atol=1e-4)


def test_half_is_computed_in_float32_and_fan_in_one_is_refused():
  half = jnp.asarray(KERNEL, jnp.bfloat16)
  w = ops.standardize_kernel(half)
  assert w.dtype == jnp.bfloat16
  wide = ops.standardize_kernel(half.astype(jnp.float32))
  np.testing.assert_array_equal(w, wide.astype(jnp.bfloat16))
  with pytest.raises(ValueError, match="no variance"):
    ops.standardize_kernel(KERNEL[:1, :1, :1])
