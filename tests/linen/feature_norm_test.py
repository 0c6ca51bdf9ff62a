"""The post's norm: forward, the right derivative, and its own formula."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from bnjax.linen import FeatureNorm

RNG = np.random.default_rng(0)
X = RNG.normal(2, 3, size=(7, 5))
DY = RNG.normal(size=(7, 5))


def _call(derivative):
  norm = FeatureNorm(derivative)
  return lambda x, mask=None: norm.apply({}, x, mask=mask)


def _post_backward(x, dy):
  """Its formula in its layout: features down, examples across."""
  m, mean, var = x.shape[0], x.mean(0), x.var(0)
  dvar = np.sum(dy * (x - mean) * -0.5 * var**-1.5, axis=0)
  dmean = np.sum(-dy / np.sqrt(var), axis=0) + dvar * -2 * (x - mean) / m
  return dy / np.sqrt(var) + dvar * -2 * (x - mean) / m + dmean / m


@pytest.mark.parametrize("derivative", ["as_published", "corrected"])
def test_normalizes_over_features_without_epsilon(derivative):
  small = jnp.asarray(1e-6 * X, jnp.float32)
  y = np.asarray(_call(derivative)(small))
  expected = (X - X.mean(1, keepdims=True)) / X.std(1, keepdims=True)
  np.testing.assert_allclose(y, expected, rtol=1e-4, atol=1e-5)


def test_published_derivative_is_the_formula_of_the_post():
  with jax.enable_x64(True):
    _, pull_back = jax.vjp(_call("as_published"), jnp.asarray(X))
    (dx,) = pull_back(jnp.asarray(DY))
  np.testing.assert_allclose(dx, _post_backward(X.T, DY.T).T, rtol=1e-12)


def test_corrected_derivative_is_that_of_the_function():
  with jax.enable_x64(True):
    x, dy = jnp.asarray(X), jnp.asarray(DY)
    plain = lambda x: (x - x.mean(1, keepdims=True)) / x.std(1, keepdims=True)
    expected = jax.vjp(plain, x)[1](dy)[0]
    dx = jax.vjp(_call("corrected"), x)[1](dy)[0]
    np.testing.assert_allclose(dx, expected, rtol=1e-12)
    wrong = jax.vjp(_call("as_published"), x)[1](dy)[0]
    assert np.max(np.abs(wrong - dx)) > 0.1 * np.max(np.abs(dx))


@pytest.mark.parametrize("derivative", ["as_published", "corrected"])
def test_padding_counts_for_nothing_even_if_it_is_constant(derivative):
  call = _call(derivative)
  x = jnp.asarray(X, jnp.float32)
  padded = jnp.concatenate([x, jnp.zeros((2, 5))])
  mask = (jnp.arange(9) < 7)[:, None]
  loss = lambda x, mask: jnp.sum(call(x, mask) ** 3)
  np.testing.assert_allclose(
    call(padded, mask), np.pad(call(x), ((0, 2), (0, 0))), rtol=1e-6
  )
  np.testing.assert_allclose(
    jax.grad(loss)(padded, mask),
    np.pad(jax.grad(loss)(x, None), ((0, 2), (0, 0))),
    rtol=1e-4,
    atol=1e-5,
  )


@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float32])
def test_dtypes_stay(dtype):
  x = jnp.asarray(X, dtype)
  y, pull_back = jax.vjp(_call("as_published"), x)
  assert y.dtype == dtype
  assert pull_back(y)[0].dtype == dtype


def test_what_is_wrong_is_named():
  with pytest.raises(ValueError, match="got 'published'"):
    FeatureNorm("published")
