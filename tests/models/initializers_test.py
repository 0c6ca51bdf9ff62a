"""Initial weights have the distribution that their name promises."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from bnjax.models import INITIALIZERS

FAN_IN, FAN_OUT = 300, 500


@pytest.mark.parametrize(
  ("name", "scale", "std"),
  [
    ("randn", 1.0, 1.0),
    ("normal", 0.05, 0.05),
    ("uniform", 2.0, 2.0 / 3**0.5),
    ("he", 1.0, (2 / FAN_IN) ** 0.5),
    ("xavier", 1.0, (2 / (FAN_IN + FAN_OUT)) ** 0.5),
    ("xavier", 0.01, 0.01 * (2 / (FAN_IN + FAN_OUT)) ** 0.5),
  ],
)
def test_mean_and_standard_deviation(name, scale, std):
  w = INITIALIZERS[name](scale)(
    jax.random.key(0), (FAN_IN, FAN_OUT), jnp.float32
  )
  n = w.size
  assert abs(np.mean(w)) < 4 * std / n**0.5
  # The standard error of a standard deviation is at most std / sqrt(2 n).
  assert abs(np.std(w) - std) < 4 * std / (2 * n) ** 0.5


def test_uniform_fills_its_interval_and_no_more():
  w = np.asarray(
    INITIALIZERS["uniform"](0.5)(jax.random.key(1), (100, 100), jnp.float32)
  )
  assert -0.5 <= w.min() < -0.499
  assert 0.499 < w.max() <= 0.5


def test_normal_is_not_cut_off():
  w = INITIALIZERS["he"](1.0)(jax.random.key(1), (400, 400), jnp.float32)
  assert np.abs(w).max() > 3.5 * (2 / 400) ** 0.5
