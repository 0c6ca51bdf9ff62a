"""Pools by slices: against Flax's windowed reductions, forward and back."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from bnjax.lab.models.pools import average_pool, max_pool

RNG = np.random.default_rng(0)
PEERS = {
  max_pool: nn.max_pool,
  average_pool: lambda *args: nn.avg_pool(*args, count_include_pad=False),
}


@pytest.mark.parametrize("pool", PEERS, ids=lambda pool: pool.__name__)
@pytest.mark.parametrize(
  ("shape", "window", "stride"),
  [
    ((2, 8, 8, 3), 3, 1),
    ((2, 8, 8, 3), 3, 2),
    ((2, 7, 9, 3), 3, 2),
    ((1, 5, 4, 2), 2, 2),
    ((1, 9, 5, 2), 5, 3),
    ((1, 8, 7, 1), 2, 3),
    ((2, 1, 2, 3), 3, 2),
  ],
)
def test_equals_the_windowed_reduction_and_its_gradient(
  pool, shape, window, stride
):
  x = jnp.asarray(RNG.normal(size=shape).astype(np.float32))
  ours = lambda x: pool(x, window=window, stride=stride)
  theirs = lambda x: PEERS[pool](x, (window, window), (stride, stride), "SAME")
  y, back = jax.vjp(ours, x)
  expected, peer_back = jax.vjp(theirs, x)
  np.testing.assert_allclose(y, expected, rtol=1e-6, atol=1e-6)
  dy = jnp.asarray(RNG.normal(size=y.shape).astype(np.float32))
  np.testing.assert_allclose(*back(dy), *peer_back(dy), rtol=1e-5, atol=1e-6)


def test_largest_values_share_the_gradient():
  x = jnp.asarray([[0.0, 5.0], [5.0, 1.0]]).reshape(1, 2, 2, 1)
  total = lambda x: max_pool(x, window=2, stride=2).sum()
  gradient = jax.grad(total)(x)
  np.testing.assert_array_equal(gradient[0, :, :, 0], [[0.0, 0.5], [0.5, 0.0]])


def test_a_nan_is_seen():
  x = jnp.ones((1, 3, 3, 1)).at[0, 1, 1, 0].set(jnp.nan)
  for pool in PEERS:
    assert np.isnan(pool(x, window=3)).all()


@pytest.mark.parametrize("pool", PEERS, ids=lambda pool: pool.__name__)
def test_keeps_the_dtype(pool):
  x = jnp.asarray(RNG.normal(size=(1, 6, 6, 2)), jnp.bfloat16)
  y = pool(x, window=3, stride=2)
  assert y.dtype == jnp.bfloat16
  exact = pool(x.astype(jnp.float32), window=3, stride=2)
  np.testing.assert_allclose(y.astype(jnp.float32), exact, rtol=2e-2, atol=2e-2)
