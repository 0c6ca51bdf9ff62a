"""Batch renormalization: Algorithm 1 of the paper, its limits and schedule."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import references
from references import error

from bnjax import ops

X = references.batch((16, 4), 2.0, 3.0)
SCALE, BIAS = references.affine(4)
MEAN = np.array([2.0, 1.5, -30.0, 2.5], np.float32)
VAR = np.array([9.0, 4.0, 9.0, 0.1], np.float32)
RUNNING = ops.Running(MEAN, VAR, np.zeros(4, np.float32))
RULE = ops.ema(0.9)


def renorm(x=X, scale=SCALE, bias=BIAS, running=RUNNING, **options):
  return ops.batch_renorm(x, scale, bias, running, rule=RULE, **options)


def algorithm_1(x, scale, bias, r_max, d_max, epsilon=1e-5):
  """Algorithm 1 of Ioffe (2017), with sqrt(VAR + epsilon) for its sigma."""
  x = np.asarray(x, np.float64)
  mean, deviation = x.mean(0), np.sqrt(x.var(0) + epsilon)
  sigma = np.sqrt(np.float64(VAR) + epsilon)
  r = np.clip(deviation / sigma, 1 / r_max, r_max)
  d = np.clip((mean - MEAN) / sigma, -d_max, d_max)
  return scale * ((x - mean) / deviation * r + d) + bias, r, d


@pytest.mark.parametrize("limits", [(1.0, 0.0), (1.5, 0.1), (3.0, 5.0)])
def test_equals_the_paper(limits):
  r_max, d_max = limits
  y, running = renorm(r_max=r_max, d_max=d_max)
  expected, r, _ = algorithm_1(X, SCALE, BIAS, r_max, d_max)
  assert error(y, expected) < 1e-6
  np.testing.assert_allclose(running.mean, 0.9 * MEAN + 0.1 * X.mean(0), 1e-5)
  np.testing.assert_allclose(running.var, 0.9 * VAR + 0.1 * X.var(0), 1e-5)
  # The gradient is that of batch norm, r and d being constants.
  weights = references.batch(X.shape, seed=2)
  dx, dscale, dbias = jax.vjp(
    lambda *a: renorm(*a, **{"r_max": r_max, "d_max": d_max})[0], X, SCALE, BIAS
  )[1](weights)
  want, _, _ = references.algorithm_1_backward(weights, X, SCALE * r)
  assert error(dx, want) < 2e-6
  normal = algorithm_1(X, 1.0, 0.0, r_max, d_max)[0]
  assert error(dscale, (weights * normal).sum(0)) < 2e-6
  assert error(dbias, weights.sum(0)) < 2e-6


def test_limits_bind_at_both_ends():
  _, r, d = algorithm_1(X, 1, 0, 3.0, 5.0)
  assert r[3] == 3.0
  assert d[2] == 5.0


def test_no_correction_is_batch_norm():
  y, running = renorm(r_max=1.0, d_max=0.0)
  expected, after = ops.apply_batch_norm(X, SCALE, BIAS, RUNNING, rule=RULE)
  np.testing.assert_allclose(y, expected, rtol=1e-6, atol=1e-6)
  jax.tree.map(np.testing.assert_array_equal, running, after)


def test_full_correction_gives_the_values_of_inference():
  y, _ = renorm(r_max=100.0, d_max=100.0)
  expected = ops.normalize(X, MEAN, VAR, SCALE, BIAS)
  np.testing.assert_allclose(y, expected, rtol=1e-5, atol=1e-5)


def test_no_gradient_flows_to_or_from_the_running_statistics():
  loss = lambda x, running: renorm(x, running=running)[0].sum()
  for gradient in jax.tree.leaves(jax.grad(loss, 1)(X, RUNNING)):
    np.testing.assert_array_equal(gradient, 0)
  after = lambda x: sum(a.sum() for a in renorm(x)[1])
  np.testing.assert_array_equal(jax.grad(after)(X), 0)


def test_switches_and_a_single_row():
  assert renorm(update=False)[1] is RUNNING
  y, _ = renorm(X[:1], None, None)
  d = np.clip((X[0] - MEAN) / np.sqrt(VAR + 1e-5), -5, 5)
  np.testing.assert_allclose(y[0], d, rtol=1e-5)
  mask = np.zeros((16, 1), bool)
  jax.tree.map(np.testing.assert_array_equal, renorm(mask=mask)[1], RUNNING)


@pytest.mark.parametrize(
  ("step", "r_max", "d_max"),
  [(0, 1, 0), (5_000, 1, 0), (15_000, 11 / 7, 2.5), (25_000, 15 / 7, 5),
   (40_000, 3, 5), (10**6, 3, 5)],
)  # fmt: skip
def test_schedule_of_the_paper(step, r_max, d_max):
  limits = jax.jit(ops.renorm_schedule)(jnp.asarray(step))
  np.testing.assert_allclose(limits, [r_max, d_max], rtol=1e-6)


def test_what_is_out_of_range_is_refused():
  with pytest.raises(ValueError, match="r_max must be at least 1"):
    renorm(r_max=0.5)
  with pytest.raises(ValueError, match="d_max must be at least 0"):
    renorm(d_max=-1.0)
  with pytest.raises(ValueError, match=r"running\.mean has shape"):
    renorm(X[:, :3], None, None)
  with pytest.raises(ValueError, match="must come before"):
    ops.renorm_schedule(0, start=10, d_end=10)
