"""Lp batch norm, not centred: a float64 reference, devices, gradients."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import references
from references import error

from bnjax import ops

EVERY = pytest.mark.parametrize("p", [1, 2, np.inf])


def reference(x, p, scale, bias, epsilon=1e-5):
  x = np.asarray(x, np.float64)
  size = np.abs(x)
  s = size.max(0) if p == np.inf else (size**p).mean(0) ** (1 / p)
  return (x - x.mean(0)) / np.sqrt(s**2 + epsilon) * scale + bias, s**2


@EVERY
@pytest.mark.parametrize("mean", [0, 1e4])
def test_equals_float64(p, mean):
  x = references.batch((512, 8), mean)
  scale, bias = references.affine(8)
  y, moments = ops.lp_batch_norm(x, scale, bias, p=p)
  expected, square = reference(x, p, scale, bias)
  assert error(y, expected) < 2e-6
  np.testing.assert_allclose(moments.var, square, rtol=1e-5)


@EVERY
def test_members_of_a_group_are_one_batch_with_its_gradient(p):
  x = references.batch((4, 8, 3), 2.0)
  weight = references.batch((4, 8, 3))
  groups = [[0, 2], [1, 3]]
  apart = jax.vmap(
    partial(ops.lp_batch_norm, p=p, axis_name="d", axis_index_groups=groups),
    axis_name="d",
  )

  def together(x):
    rows = x[jnp.asarray(groups)].reshape(2, 16, 3)
    y = jax.vmap(lambda x: ops.lp_batch_norm(x, p=p)[0])(rows)
    return jnp.zeros_like(x).at[jnp.asarray(groups)].set(y.reshape(2, 2, 8, 3))

  np.testing.assert_allclose(apart(x)[0], together(x), rtol=1e-4, atol=1e-5)
  by_apart = jax.grad(lambda x: jnp.sum(weight * apart(x)[0]))(x)
  by_together = jax.grad(lambda x: jnp.sum(weight * together(x)))(x)
  np.testing.assert_allclose(by_apart, by_together, rtol=1e-4, atol=1e-5)


def test_what_is_refused():
  x = np.ones((4, 2), np.float32)
  with pytest.raises(ValueError, match="p must be 1, 2 or infinity, got 3"):
    ops.lp_batch_norm(x, p=3)
  with pytest.raises(ValueError, match="no variance"):
    ops.lp_batch_norm(x[:1])
