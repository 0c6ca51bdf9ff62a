"""EvoNorm-B0 and S0: literal values, float64 references, refusals."""

import jax.numpy as jnp
import numpy as np
import pytest
import references
from references import error

from bnjax import ops

X = references.batch((6, 5, 5, 8), 1.0, 2.0)
SCALE, BIAS = references.affine(8)
V = np.linspace(-2, 2, 8).astype(np.float32)


def b0(x, v, scale, bias, var=None, epsilon=1e-5):
  x = np.asarray(x, np.float64)
  space = tuple(range(1, x.ndim - 1))
  var = x.var((0, *space)) if var is None else var
  own = x.var(space, keepdims=True) if space else 0.0
  below = np.maximum(np.sqrt(var + epsilon), v * x + np.sqrt(own + epsilon))
  return x / below * scale + bias


def s0(x, v, scale, bias, groups, epsilon=1e-5):
  x = np.asarray(x, np.float64)
  parts = x.reshape(len(x), -1, groups, x.shape[-1] // groups)
  var = parts.var((1, 3), keepdims=True)
  y = x / (1 + np.exp(-v * x))
  y = (y.reshape(parts.shape) / np.sqrt(var + epsilon)).reshape(x.shape)
  return y * scale + bias


@pytest.mark.parametrize("x", [X, X[:, 0, 0]])
def test_b0_equals_float64(x):
  y, moments = ops.evonorm_b0(x, V, SCALE, BIAS)
  assert error(y, b0(x, V, SCALE, BIAS)) < 1e-6
  np.testing.assert_allclose(
    moments.var, x.var(tuple(range(x.ndim - 1))), rtol=1e-5
  )
  var = V**2
  y, _ = ops.evonorm_b0(x, V, SCALE, BIAS, var=var)
  assert error(y, b0(x, V, SCALE, BIAS, var)) < 1e-6


@pytest.mark.parametrize("groups", [1, 2, 4])
def test_s0_equals_float64(groups):
  for x in (X, X[:, 0, 0]):
    y = ops.evonorm_s0(x, V, SCALE, BIAS, groups=groups)
    assert error(y, s0(x, V, SCALE, BIAS, groups)) < 1e-6


def test_b0_with_no_v_is_scaling_by_the_larger_deviation():
  x = jnp.array([[[0.0], [2.0]], [[0.0], [10.0]]])  # Variances 1, 25, all 17.
  y, _ = ops.evonorm_b0(x, jnp.zeros(1), epsilon=0.0)
  np.testing.assert_allclose(y.ravel(), [0, 2 / 17**0.5, 0, 10 / 5], rtol=1e-6)


def test_features_may_be_first():
  y = ops.evonorm_s0(
    np.moveaxis(X, -1, 1), V, SCALE, BIAS, groups=2, feature_axis=1
  )
  expected = ops.evonorm_s0(X, V, SCALE, BIAS, groups=2)
  np.testing.assert_allclose(
    np.moveaxis(y, 1, -1), expected, rtol=1e-5, atol=1e-6
  )


def test_what_has_no_variance_is_refused():
  with pytest.raises(ValueError, match="no variance"):
    ops.evonorm_s0(X[:, 0, 0], V, groups=8)
  with pytest.raises(ValueError, match="no variance"):
    ops.evonorm_b0(X[:1, 0, 0], V)
  assert ops.evonorm_b0(X[:1, 0, 0], V, var=V**2)[0].shape == (1, 8)
  with pytest.raises(ValueError, match="v has shape"):
    ops.evonorm_b0(X, V[:3])
