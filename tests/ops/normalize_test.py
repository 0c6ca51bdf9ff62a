"""The inference transform."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import references

from bnjax.ops import batch_norm, normalize


@pytest.fixture(autouse=True)
def _strict():
  with jax.numpy_dtype_promotion("strict"):
    yield


def test_literal_values():
  x, one = jnp.array([[1.0], [5.0]]), jnp.ones(1)
  y = normalize(x, 3 * one, 4 * one, 10 * one, one, epsilon=0.0)
  np.testing.assert_array_equal(y, [[-9.0], [11.0]])


@pytest.mark.parametrize("axes", [-1, 1, (0, 2), (-1, 0)])
def test_equals_the_training_transform_given_its_moments(axes):
  x = references.batch((4, 6, 5), 2.0, 3.0)
  y, moments = batch_norm(x, feature_axes=axes)
  z = normalize(x, moments.mean, moments.var, feature_axes=axes)
  np.testing.assert_allclose(y, z, rtol=1e-5, atol=1e-5)


def test_statistics_are_not_rounded_to_the_input():
  """Rounded to bfloat16 first, x and this mean are the same number."""
  x = jnp.full((1, 1), 100.5, jnp.bfloat16)
  y = normalize(x, jnp.array([100.4]), jnp.array([0.01]), epsilon=0.0)
  assert y.dtype == jnp.bfloat16
  np.testing.assert_allclose(np.float32(y), [[1.0]], rtol=1e-2)


def test_shapes_and_dtypes_that_do_not_fit_are_refused():
  x, three, two = np.ones((4, 3), np.float32), np.ones(3), np.ones(2)
  with pytest.raises(ValueError, match="var has shape"):
    normalize(x, three, two)
  with pytest.raises(ValueError, match="bias has shape"):
    normalize(x, three, three, bias=two)
  with pytest.raises(TypeError, match="real floating dtype"):
    normalize(np.ones((4, 3), np.int32), three, three)
