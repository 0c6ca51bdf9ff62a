"""Measures along the rows: NumPy, closed forms."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from bnjax.lab import probes
from bnjax.lab.probes import make_probes

RNG = np.random.default_rng(0)


def test_autocorrelation_is_that_of_the_definition():
  x = RNG.normal(3.0, 1.0, size=(40, 2, 3))
  y = x.reshape(40, 6) - x.reshape(40, 6).mean(0)
  wanted = [(y[: 40 - lag] * y[lag:]).sum() / (y**2).sum() for lag in (0, 1, 7)]
  found = jax.jit(lambda x: probes.autocorrelation(x, (0, 1, 7)))
  for scale in (1.0, 1e-30):
    np.testing.assert_allclose(
      found((x * scale).astype(np.float32)), wanted, rtol=1e-4, atol=1e-6
    )


def test_autocorrelation_of_a_sine_and_of_noise():
  """Of whole periods it is the cosine of the lag, times the terms it has."""
  angles = 2 * np.pi * np.arange(200) / 50
  lags = (5, 25, 50)
  found = probes.autocorrelation(jnp.sin(angles), lags)
  wanted = [np.cos(2 * np.pi * lag / 50) * (1 - lag / 200) for lag in lags]
  np.testing.assert_allclose(found, wanted, atol=0.03)
  noise = RNG.normal(size=10_000)
  assert np.max(np.abs(probes.autocorrelation(noise, lags))) < 0.04
  assert np.isnan(probes.autocorrelation(jnp.ones(5)))


def test_a_lag_is_at_least_0_and_nothing_lies_beyond_the_rows():
  with pytest.raises(ValueError, match="a lag is at least 0, and one is -1"):
    probes.autocorrelation(jnp.ones(5), (1, -1))
  found = probes.autocorrelation(jnp.arange(5.0), (0, 4, 5))
  np.testing.assert_allclose(found, [1, -0.4, np.nan], rtol=1e-6)
  make_probes({"p": {"measure": "autocorrelation", "lags": (1, 15)}})


def test_values_are_what_they_are():
  x = RNG.normal(size=(3, 2, 2))
  np.testing.assert_array_equal(probes.values(x.astype(np.float32)),
                                x.astype(np.float32))  # fmt: skip
  assert probes.values(jnp.ones((2, 2), jnp.bfloat16)).dtype == jnp.float32
