"""Initial weights have the distribution that their name promises."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from bnjax.lab.models import INITIALIZERS, lenet, mlp

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
    ("lecun", 1.0, (1 / FAN_IN) ** 0.5),
    ("torch_default", 1.0, (1 / (3 * FAN_IN)) ** 0.5),
    # 1 - 4 φ(2) / (Φ(2) - Φ(-2)) of the variance is left.
    ("truncated_normal", 0.1, 0.1 * 0.7737**0.5),
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


def test_half_normal_is_the_magnitude_of_a_normal():
  w = INITIALIZERS["half_normal"](0.5)(jax.random.key(1), (100, 100))
  np.testing.assert_array_equal(
    w, np.abs(INITIALIZERS["normal"](0.5)(jax.random.key(1), (100, 100)))
  )
  assert w.min() >= 0


def test_normal_is_not_cut_off():
  w = INITIALIZERS["he"](1.0)(jax.random.key(1), (400, 400), jnp.float32)
  assert np.abs(w).max() > 3.5 * (2 / 400) ** 0.5


@pytest.mark.parametrize("shape", [(25, 80), (5, 5, 3, 80)])
def test_the_fans_of_a_convolution_count_its_window(shape):
  fan_in = np.prod(shape[:-1])
  w = INITIALIZERS["torch_default"](1.0)(jax.random.key(1), shape, jnp.float32)
  bound = fan_in**-0.5
  assert 0.99 * bound < np.abs(w).max() <= bound
  w = INITIALIZERS["he"](1.0)(jax.random.key(1), shape, jnp.float32)
  assert abs(np.std(w) / (2 / fan_in) ** 0.5 - 1) < 4 / (2 * w.size) ** 0.5


def test_truncated_normal_ends_at_twice_its_scale():
  w = INITIALIZERS["truncated_normal"](0.1)(
    jax.random.key(1), (100, 100), jnp.float32
  )
  assert 0.199 < np.abs(w).max() <= 0.2


# The lines that the post on very deep networks has, at its width of 100.
@pytest.mark.parametrize(
  ("init", "scale", "std"),
  [
    ("normal", 2**0.5 / (200**0.5 * 3**0.5), 0.05774),
    ("uniform", 6**0.5 / 200, 0.00707),
    ("xavier", 1.0, 0.1),
    ("xavier", 0.01, 0.001),
    ("normal", 0.01, 0.01),
    ("he", 1.0, 0.1414),
  ],
)
def test_the_schemes_of_the_deep_network_of_2018(init, scale, std):
  w = INITIALIZERS[init](scale)(jax.random.key(2), (100, 100), jnp.float32)
  assert abs(np.std(w) / std - 1) < 0.03


def test_torch_draws_biases_too_by_the_fan_in_of_their_layer():
  model = lenet(num_classes=10, norm=None, init="torch")
  params = model.init(jax.random.key(0), jnp.zeros((1, 32, 32, 3)), train=False)
  fan_ins = {"conv_0": 75, "conv_1": 150, "dense_2": 400, "output": 84}
  for layer, fan_in in fan_ins.items():
    for own in params["params"][layer].values():
      bound = fan_in**-0.5
      assert 0.4 * bound < np.abs(own).max() <= bound
  zeros = lenet(num_classes=10, norm=None)
  params = zeros.init(jax.random.key(0), jnp.zeros((1, 32, 32, 3)), train=False)
  assert not np.any(params["params"]["dense_2"]["bias"])


def test_the_first_kernel_of_an_mlp_may_be_another():
  model = mlp(num_classes=10, norm=None, init="randn", later_init="he")
  params = model.init(jax.random.key(0), jnp.zeros((1, 784)), train=False)
  stds = {name: np.std(own["kernel"]) for name, own in params["params"].items()}
  he = (2 / 256) ** 0.5
  expected = {"dense_0": 1.0, "dense_1": he, "output": he}
  assert stds == pytest.approx(expected, rel=0.05)
