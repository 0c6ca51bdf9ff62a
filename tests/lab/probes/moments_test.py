"""Averages of arrays, against NumPy in float64."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from bnjax.lab import probes

RNG = np.random.default_rng(0)
X = RNG.normal(3.0, 2.0, size=(40, 3, 5)).astype(np.float32)
X[RNG.random(X.shape) < 0.2] = 0

REFERENCES = {
  "mean": lambda x, axis: x.mean(axis),
  "variance": lambda x, axis: x.var(axis),
  "standard_deviation": lambda x, axis: x.std(axis),
  "norm": lambda x, axis: np.sqrt((x**2).sum(axis)),
  "root_mean_square": lambda x, axis: np.sqrt((x**2).mean(axis)),
  "zero_fraction": lambda x, axis: (x == 0).mean(axis),
  "saturated_fraction": lambda x, axis: ((x <= 0.05) | (x >= 0.95)).mean(axis),
}


@pytest.mark.parametrize("per_feature", [False, True])
@pytest.mark.parametrize("name", REFERENCES)
def test_equals_numpy_in_float64(name, per_feature):
  group = {"measure": name, "per_feature": per_feature}
  (probe,) = probes.make_probes({"p": group})
  y = jax.jit(probe)(X)
  assert y.shape == ((5,) if per_feature else ())
  assert y.dtype == jnp.float32
  axis = (0, 1) if per_feature else None
  expected = REFERENCES[name](X.astype(np.float64), axis)
  np.testing.assert_allclose(y, expected, rtol=2e-6)


def test_numbers_up_to_a_threshold_count_as_zeros():
  x = jnp.array([0.0, 0.5, -0.25, 2.0])
  assert probes.zero_fraction(x, threshold=0.25) == 0.5


@pytest.mark.parametrize("name", REFERENCES)
def test_of_nothing_is_nan(name):
  y = probes.MEASURES[name](jnp.ones((0, 2)))
  assert np.isnan(y) if name != "norm" else y == 0


@pytest.mark.parametrize("name", ["mean", "standard_deviation", "norm"])
@pytest.mark.parametrize("size", [1e-36, 1e-30, 1e30, 1e37])
def test_what_vanishes_or_explodes_is_measured(name, size):
  x = (np.array([1.0, 2.0, 4.0, -3.0, 2.0]) * size).astype(np.float32)
  expected = REFERENCES[name](x.astype(np.float64), None)
  np.testing.assert_allclose(
    jax.jit(probes.MEASURES[name])(x), expected, rtol=1e-6
  )


def test_variance_does_not_underflow_before_it_must():
  x = (RNG.normal(size=1000) * 3e-19).astype(np.float32)
  expected = x.astype(np.float64).var()
  assert 1.2e-38 < expected < 1e-37
  np.testing.assert_allclose(jax.jit(probes.variance)(x), expected, rtol=1e-5)
  # All squares but the sum's are subnormal: computed as it is written, it is 0.
  small = (RNG.normal(size=1000) * 1e-25).astype(np.float32)
  assert probes.variance(small) == 0
  np.testing.assert_allclose(
    probes.standard_deviation(small), small.astype(np.float64).std(), rtol=1e-5
  )
  assert probes.variance(jnp.array([1e30, -1e30])) == np.inf


def test_float64_reaches_the_published_variances():
  with jax.enable_x64(True):
    x = RNG.normal(size=1000) * 6e-44
    np.testing.assert_allclose(probes.variance(x), x.var(), rtol=1e-12)


def test_a_large_mean_costs_no_digits():
  x = (1e4 + RNG.normal(size=(1000, 2))).astype(np.float32)
  np.testing.assert_allclose(
    probes.variance(x), x.astype(np.float64).var(), rtol=1e-5
  )


@pytest.mark.parametrize("name", ["mean", "variance", "norm"])
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_what_diverged_is_not_finite(name, bad):
  assert not np.isfinite(probes.MEASURES[name](jnp.array([1.0, bad, 2.0])))


@pytest.mark.parametrize("dtype", ["bfloat16", "float16", "int32", "bool"])
def test_narrow_and_whole_numbers_are_widened(dtype):
  x = jnp.asarray(X[:4] > 1 if dtype == "bool" else X[:4], dtype)
  y = probes.variance(x)
  assert y.dtype == jnp.float32
  np.testing.assert_allclose(y, np.asarray(x, np.float64).var(), rtol=1e-6)


def test_saturation_of_tanh():
  x = jnp.array([-1.0, -0.91, -0.89, 0.0, 0.95])
  y = probes.saturated_fraction(x, low=-1, high=1, margin=0.05)
  np.testing.assert_allclose(y, 0.6)


def test_complex_numbers_are_refused():
  with pytest.raises(TypeError, match="real numbers, not of complex64"):
    probes.mean(jnp.ones(2, jnp.complex64))
