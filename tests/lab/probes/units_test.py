"""Dead units and effective ranks: closed forms and NumPy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats

from bnjax.lab import probes

RNG = np.random.default_rng(0)


def test_dead_units_of_a_relu_layer():
  x = RNG.normal(size=(20, 3, 6))
  x[..., 0] = -1 - x[..., 0] ** 2  # never positive
  x[..., 4] = 5  # constant
  assert probes.dead_units(np.maximum(x, 0)) == np.float32(2 / 6)
  assert probes.dead_units(x) == np.float32(2 / 6)
  assert probes.dead_units(x, threshold=None) == np.float32(1 / 6)
  x[0, 0, 0] = 1  # one example is enough
  assert probes.dead_units(x) == np.float32(1 / 6)


def _drawn(shape, center):
  """Activations, and the matrix of float64 that a rank of them is of."""
  x = RNG.normal(2.0, 1.0, size=shape).astype(np.float32)
  matrix = x.reshape(-1, shape[-1]).astype(np.float64)
  if center:
    matrix = matrix - matrix.mean(0)
  return x, matrix


@pytest.mark.parametrize("center", [False, True])
@pytest.mark.parametrize("shape", [(50, 8), (5, 8), (4, 5, 8)])
def test_effective_rank_is_that_of_the_definition(shape, center):
  x, matrix = _drawn(shape, center)
  values = np.linalg.svd(matrix, compute_uv=False)
  expected = np.exp(scipy.stats.entropy(values / values.sum()))
  y = jax.jit(lambda x: probes.effective_rank(x, center=center))(x)
  np.testing.assert_allclose(y, expected, rtol=1e-5)


@pytest.mark.parametrize("scale", [1e-30, 1.0, 1e30])
def test_equal_singular_values_count(scale):
  q, _ = np.linalg.qr(RNG.normal(size=(9, 4)))
  x = (q * scale).astype(np.float32)
  np.testing.assert_allclose(
    probes.effective_rank(x, center=False), 4, rtol=1e-5
  )


def test_effective_rank_of_odd_data():
  constant = jnp.tile(jnp.array([[0.1, 3e7, 0.7]]), (50, 1))
  assert probes.effective_rank(constant) == 0
  assert np.isnan(probes.effective_rank(jnp.full((3, 2), jnp.nan)))


def test_vmap_equals_a_loop():
  x = RNG.normal(size=(3, 10, 4)).astype(np.float32)
  for function in (probes.effective_rank, probes.dead_units):
    np.testing.assert_allclose(
      jax.vmap(function)(x), [function(a) for a in x], rtol=1e-5
    )


@pytest.mark.parametrize("center", [False, True])
@pytest.mark.parametrize("shape", [(50, 8), (5, 8), (4, 5, 8)])
def test_participation_ratio_is_that_of_the_definition(shape, center):
  x, matrix = _drawn(shape, center)
  values = np.linalg.svd(matrix, compute_uv=False) ** 2
  expected = values.sum() ** 2 / (values**2).sum()
  y = jax.jit(lambda x: probes.participation_ratio(x, center=center))(x)
  np.testing.assert_allclose(y, expected, rtol=1e-5)
  np.testing.assert_allclose(
    probes.participation_ratio(x * 1e-30, center=center), expected, rtol=1e-5
  )


def test_participation_ratio_of_odd_data():
  assert probes.participation_ratio(jnp.zeros((3, 2))) == 0
  constant = jnp.tile(jnp.array([[0.1, 3e7, 0.7]]), (50, 1))
  assert probes.participation_ratio(constant, center=True) == 0
  assert probes.participation_ratio(constant).round(4) == 1
  assert np.isnan(probes.participation_ratio(jnp.full((3, 2), jnp.nan)))


def test_coherence_is_what_sums_leave():
  """Of like signs all, of random ones about n^-1/2; at any scale."""
  x = RNG.normal(size=(400, 50)).astype(np.float32)
  expected = np.abs(x.sum(0)).sum() / np.abs(x).sum()
  np.testing.assert_allclose(probes.coherence(x), expected, rtol=1e-4)
  assert 0.8 / 20 < probes.coherence(x) < 1.2 / 20
  np.testing.assert_allclose(probes.coherence(x * 1e-30), expected, rtol=1e-4)
  images = x.reshape(4, 10, 10, 50)
  np.testing.assert_allclose(probes.coherence(images), expected, rtol=1e-4)
  assert probes.coherence(np.abs(x)) == pytest.approx(1, rel=1e-5)
  assert np.isnan(probes.coherence(np.zeros((3, 2))))
