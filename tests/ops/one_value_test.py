"""One counted value has a mean and no variance, under every rule."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from bnjax import ops
from bnjax.ops import cumulative, debiased_ema, ema

RNG = np.random.default_rng(0)
SIZES = [1, 8, 1, 1, 5, 2, 1]
BATCHES = [
  np.asarray(RNG.normal(3 + i, 1 + i, size=(n, 2)), np.float32)
  for i, n in enumerate(SIZES)
]
RULES = {
  "ema": ema(0.8),
  "ema_unbiased": ema(0.8, unbiased=True),
  "debiased": debiased_ema(0.8),
  "debiased_unbiased": debiased_ema(0.8, unbiased=True),
  "cumulative": cumulative(),
  "paper": ops.PRESETS["paper"].rule,
  "count": cumulative(weighting="count"),
  "count_unbiased": cumulative(weighting="count", unbiased=True),
}


def moments_of(batch, size=8):
  """Of a batch that is padded, so that only a mask says how much counts."""
  x = np.full((size, 2), np.nan, np.float32)
  x[: len(batch)] = batch
  return ops.batch_moments(x, mask=(np.arange(size) < len(batch))[:, None])


def reference(batches, rule):
  """The mean follows all batches, the variance those that have one."""
  ddof = int(rule.unbiased)
  wide = [batch.astype(np.float64) for batch in batches]
  if rule.by_count:
    every = np.concatenate(wide)
    return every.mean(0), every.var(0, ddof=ddof) if len(every) > 1 else 1
  means = [b.mean(0) for b in wide]
  variances = [b.var(0, ddof=ddof) for b in wide if len(b) > 1]
  return follow(means, 0, rule), follow(variances, 1, rule)


def follow(values, start, rule):
  n, d = len(values), 1 if rule.decay is None else rule.decay
  weights = np.array([d ** (n - 1 - i) for i in range(n)])
  if rule.decay is not None and not rule.debias:
    weights = (1 - d) * np.append(weights, d**n / (1 - d))
    return weights @ np.array([*values, np.full(2, float(start))])
  return weights @ np.array(values) / weights.sum() if n else start


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
def test_mean_follows_all_and_variance_those_that_have_one(rule):
  update = jax.jit(ops.update_running)
  running = ops.init_running(2)
  for i, batch in enumerate(BATCHES):
    before = running
    running = update(running, moments_of(batch), rule)
    mean, var = reference(BATCHES[: i + 1], rule)
    np.testing.assert_allclose(running.mean, mean, rtol=2e-6)
    np.testing.assert_allclose(running.var, np.broadcast_to(var, 2), rtol=3e-6)
    if len(batch) == 1 and not (rule.by_count and i):
      np.testing.assert_array_equal(running.var, before.var)  # Bit by bit.


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
def test_first_batch_of_one_value_keeps_the_initial_variance(rule):
  """The issue's: x = 6 near a mean of 5 became 316."""
  x = jnp.array([[5.0], [jnp.nan]])
  moments = ops.batch_moments(x, mask=jnp.array([[True], [False]]))
  running = ops.update_running(ops.init_running(1), moments, rule)
  np.testing.assert_array_equal(running.var, [1])
  whole = rule.decay is None or rule.debias
  np.testing.assert_allclose(running.mean, [5 if whole else 5 * 0.2], rtol=1e-6)
  full = ops.batch_moments(jnp.array([[1.0], [5.0], [9.0]]))
  running = ops.update_running(running, full, rule)
  if whole and not rule.by_count:
    want = full.unbiased_var if rule.unbiased else full.var
    np.testing.assert_array_equal(running.var, want)


def test_features_apart():
  """One value of a feature, and none of another, beside a whole one."""
  x = jnp.arange(12.0).reshape(4, 3) ** 2
  mask = jnp.array([[1, 1, 0], [1, 0, 0], [1, 0, 0], [1, 0, 0]], bool)
  moments = ops.batch_moments(x, mask=mask)
  for rule in RULES.values():
    running = ops.update_running(ops.init_running(3), moments, rule)
    alone = ops.update_running(ops.init_running(3), ops.batch_moments(x), rule)
    np.testing.assert_array_equal(running.var[0], alone.var[0])
    np.testing.assert_array_equal(running.var[1:], [1, 1])
    assert running.mean[1] > 0
    assert running.mean[2] == running.weight[2] == 0


def test_fractions_vary():
  """Weights that sum to 1 are no single value."""
  moments = ops.Moments(jnp.float32(1), jnp.array([2.0]), jnp.array([3.0]))
  for rule in (debiased_ema(0.9), cumulative(), cumulative(weighting="count")):
    running = ops.update_running(ops.init_running(1), moments, rule)
    np.testing.assert_array_equal(running.var, [3])
    running = ops.update_running(running, moments, rule)
    np.testing.assert_allclose(running.var, [3], rtol=1e-6)


def test_batch_renorm():
  x = jnp.array([[4.0], [jnp.nan]])
  _, running = ops.batch_renorm(
    x,
    None,
    None,
    ops.init_running(1),
    rule=debiased_ema(0.9),
    mask=jnp.array([[True], [False]]),
  )
  np.testing.assert_array_equal(running.mean, [4])
  np.testing.assert_array_equal(running.var, [1])


def test_ghosts_of_one_value_are_a_batch_together():
  """Each of them has no variance; the batch has."""
  mask = jnp.array([1, 0, 1, 0], bool)[:, None]
  x = jnp.array([[1.0], [jnp.nan], [5.0], [jnp.nan]])
  _, moments = ops.ghost_batch_norm(x, groups=2, mask=mask)
  rule = debiased_ema(0.9)
  merged = ops.merge_ghosts(moments)
  running = ops.update_running(ops.init_running(1), merged, rule)
  np.testing.assert_array_equal(running.var, [4])
  within = ops.merge_ghosts(moments, between=False)
  running = ops.update_running(ops.init_running(1), within, rule)
  np.testing.assert_array_equal(running.mean, [3])
  np.testing.assert_array_equal(running.var, [1])
  one_by_one, _ = jax.lax.scan(
    lambda r, m: (ops.update_running(r, m, rule), None),
    ops.init_running(1),
    moments,
  )
  np.testing.assert_array_equal(one_by_one.var, [1])


def test_averaged_ghosts_leave_those_of_one_value_out():
  mask = jnp.array([1, 1, 1, 0], bool)[:, None]
  x = jnp.array([[1.0], [5.0], [9.0], [jnp.nan]])
  _, moments = ops.ghost_batch_norm(x, groups=2, mask=mask)
  merged = ops.merge_ghosts(moments, between=False)
  np.testing.assert_array_equal(merged.var, [4])
  np.testing.assert_array_equal(merged.mean, [5])


def test_covariance_of_one_example_is_none():
  one = ops.batch_covariance(
    jnp.array([[4.0, 2.0], [jnp.nan, 0.0]]), mask=jnp.array([[True], [False]])
  )
  running = ops.update_covariance(ops.init_covariance(2), one, 0.5)
  np.testing.assert_array_equal(running.mean, [2, 1])
  np.testing.assert_array_equal(running.cov, [np.eye(2)])
  with pytest.raises(TypeError, match="decay must be a number"):
    ops.update_covariance(running, one, None)


@pytest.mark.parametrize("stacked", [False, True])
@pytest.mark.parametrize("sizes", [[1, 8, 0, 1, 5, 2], [1, 0, 1]])
def test_paper_estimator(sizes, stacked):
  """Algorithm 2 of unequal minibatches: E_B over those that have each."""
  kept = [np.asarray(RNG.normal(3, 2, (n, 2)), np.float32) for n in sizes]
  moments = [moments_of(batch) for batch in kept]
  population = ops.population_moments
  if stacked:
    moments = jax.tree.map(lambda *leaves: jnp.stack(leaves), *moments)
    population = ops.population_moments_stacked
  got = population(lambda m: m, moments, estimator="paper")
  wide = [batch.astype(np.float64) for batch in kept]
  mean = np.mean([b.mean(0) for b in wide if len(b)], 0)
  np.testing.assert_allclose(got.mean, mean, rtol=2e-6)
  running = ops.update_running(ops.init_running(2), got, cumulative())
  variances = [b.var(0, ddof=1) for b in wide if len(b) > 1]
  var = np.mean(variances, 0) if variances else np.ones(2)
  np.testing.assert_allclose(running.var, var, rtol=2e-6)
