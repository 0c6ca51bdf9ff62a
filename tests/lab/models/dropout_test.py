"""Dropout: the right fraction, the right scale, for any rate."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from bnjax.lab.models.dropout import dropout, words_shape


def _draw(shape, rate, seed=0, traced=False):
  x = jnp.ones(shape)
  words = jax.random.bits(
    jax.random.key(seed), words_shape(shape, jnp.float32(0) if traced else rate)
  )
  if traced:
    return np.asarray(jax.jit(dropout)(x, words, jnp.float32(rate)))
  return np.asarray(dropout(x, words, rate))


@pytest.mark.parametrize("traced", [False, True])
@pytest.mark.parametrize("rate", [0.5, 0.25, 0.75, 0.1, 0.3, 0.9])
def test_fraction_and_scale(rate, traced):
  y = _draw((500, 401), rate, traced=traced)
  dropped = np.mean(y == 0)
  n = y.size
  assert abs(dropped - rate) < 4 * (rate * (1 - rate) / n) ** 0.5 + 2**-16
  kept = np.unique(y[y != 0])
  assert kept.size == 1
  np.testing.assert_allclose(kept, 1 / (1 - rate), rtol=2e-4)


@pytest.mark.parametrize("traced", [False, True])
def test_rate_zero_keeps_everything(traced):
  np.testing.assert_array_equal(_draw((33,), 0.0, traced=traced), 1)


def test_a_traced_rate_draws_as_a_static_one_of_16_digits():
  rate = 13107 / 2**16  # odd numerator: all 16 digits are needed
  np.testing.assert_array_equal(
    _draw((64, 7), rate), _draw((64, 7), rate, traced=True)
  )


def test_half_costs_one_bit_a_unit():
  assert words_shape((256, 256), 0.5) == (1, 2048)
  assert words_shape((256, 256), 0.25) == (2, 2048)
  assert words_shape((3, 11), 0.3) == (16, 2)


def test_units_are_independent():
  y = _draw((2000, 64), 0.5) - 1
  correlation = np.corrcoef(y, rowvar=False) - np.eye(64)
  assert np.abs(correlation).max() < 5 / 2000**0.5
