"""Noisy batch norm: the distribution of its noise, and where it is the same."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import references

from bnjax import ops

KEY = jax.random.key(0)
X = references.batch((60, 3000), 3.0)


def _noise(x=X, key=KEY, **dose):
  """Factor and shift of each value, found from two affine maps of one batch."""
  ones = jnp.ones(x.shape[1:])
  noisy = partial(ops.noisy_batch_norm, x, key=key, **dose)
  shift = noisy(0 * ones, 0 * ones)[0]
  return np.float64(noisy(0 * ones, ones)[0] - shift), np.float64(shift)


def test_the_noise_is_the_papers():
  s, m = _noise()
  mu, sigma = m.mean(0), s.mean(0)  # Of 60 values: to .008 and .013.
  for found, low, high in ((mu, -0.5, 0.5), (sigma, 1, 1.25)):
    assert low - 0.06 < found.min() < low + 0.01
    assert high - 0.01 < found.max() < high + 0.06
    np.testing.assert_allclose(found.mean(), (low + high) / 2, atol=0.02)
    np.testing.assert_allclose(found.std(), (high - low) / 12**0.5, rtol=0.05)
  about = m - mu
  assert 0.1 < np.abs(about).max() < 0.14
  np.testing.assert_allclose(about.std(), 0.1 / 3**0.5, rtol=0.02)
  np.testing.assert_allclose((s - sigma).std(), 0.1, rtol=0.02)
  # All four are drawn apart.
  assert abs(np.corrcoef(mu, sigma)[0, 1]) < 0.06
  assert abs(np.corrcoef(about.ravel(), (s - sigma).ravel())[0, 1]) < 0.01


def test_of_batch_norm_with_one_key_and_its_statistics():
  y, moments = ops.noisy_batch_norm(X, key=KEY)
  plain, expected = ops.batch_norm(X)
  s, m = _noise()
  np.testing.assert_allclose(y, s * plain + m, rtol=1e-4, atol=1e-4)
  np.testing.assert_array_equal(moments.m2, expected.m2)
  np.testing.assert_array_equal(ops.noisy_batch_norm(X, key=KEY)[0], y)
  other, _ = ops.noisy_batch_norm(X, key=jax.random.key(1))
  assert np.mean(np.abs(other - y)) > 0.1
  loud, _ = ops.noisy_batch_norm(X, key=KEY, dose=8.0, stretch=1.0, jitter=0.0)
  np.testing.assert_allclose(
    loud, plain + 16 * m.mean(0)[None], rtol=1e-4, atol=0.7
  )


def test_devices_share_what_is_of_a_feature():
  x = X.reshape(4, 15, 3000)
  run = jax.vmap(
    lambda x: ops.noisy_batch_norm(
      x, jnp.zeros(3000), jnp.zeros(3000), key=KEY, axis_name="d"
    )[0],
    axis_name="d",
  )
  m = np.float64(run(x))
  mu = m.mean(1)
  np.testing.assert_allclose(mu[0], mu[3], atol=0.12)
  assert np.abs(m[0] - m[1]).max() > 0.1


@pytest.mark.parametrize(
  "wrong", [{"dose": -1}, {"stretch": 0.5}, {"jitter": float("nan")}]
)
def test_what_is_no_dose_is_refused(wrong):
  (name,) = wrong
  with pytest.raises(ValueError, match=f"{name} must be finite and at least"):
    ops.noisy_batch_norm(X, key=KEY, **wrong)
