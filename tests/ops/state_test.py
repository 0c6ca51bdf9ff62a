"""State as arrays: donated, scanned, exact at large means, not ruined."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from bnjax import ops
from bnjax.ops import cumulative, debiased_ema, ema

RNG = np.random.default_rng(0)


@pytest.mark.parametrize(
  "make",
  [
    lambda: ops.empty_moments(4),
    lambda: ops.init_running(4),
    lambda: ops.init_running(4, mean=1.0, var=0.0),
    lambda: ops.init_covariance(4, groups=2),
  ],
)
def test_every_part_is_a_buffer_of_its_own(make):
  state = make()
  double = jax.jit(lambda s: jax.tree.map(lambda a: 2 * a, s), donate_argnums=0)
  want = jax.tree.map(lambda a: 2 * np.asarray(a), state)
  state = make()  # Of which numpy has seen nothing.
  pointers = [leaf.unsafe_buffer_pointer() for leaf in jax.tree.leaves(state)]
  assert len(set(pointers)) == len(pointers)
  got = double(state)  # Donating a buffer twice is an error.
  jax.tree.map(np.testing.assert_array_equal, got, want)
  assert all(leaf.is_deleted() for leaf in jax.tree.leaves(state))


def test_a_scan_may_start_with_nothing_if_masks_differ_between_features():
  x = RNG.normal(size=(5, 6, 3)).astype(np.float32)
  mask = RNG.random((5, 6, 3)) < 0.5
  mask[:, :, 2] = False

  def step(total, part):
    return ops.merge_moments(
      total, ops.batch_moments(part[0], mask=part[1])
    ), None

  total, _ = jax.lax.scan(step, ops.empty_moments(3), (x, mask))
  np.testing.assert_array_equal(total.count, mask.sum((0, 1)))
  for feature in (0, 1):
    wide = x[..., feature][mask[..., feature]].astype(float)
    np.testing.assert_allclose(total.mean[feature], wide.mean(), rtol=1e-5)
    np.testing.assert_allclose(total.var[feature], wide.var(), rtol=1e-5)


def scanned(x, rule):
  """Updates with the moments of every batch, in one program."""

  def step(running, moments):
    return ops.update_running(running, moments, rule), None

  moments = jax.vmap(ops.batch_moments)(x)
  return jax.lax.scan(step, ops.init_running(x.shape[-1]), moments)[0]


@pytest.mark.parametrize("unbiased", [False, True])
@pytest.mark.parametrize(("batches", "rows"), [(3000, 4), (40, 32)])
def test_by_count_at_a_mean_of_1e4(batches, rows, unbiased):
  """With a mean of one float32 that stood still: 1e-4 in var, .01 in mean.

  Of x whose batch means are float32 numbers it is exact. Else a batch mean is
  rounded by at most r = 2^-11 at 1e4, and the variance of the means, s^2, by
  2 s r + r^2.
  """
  rule = cumulative(weighting="count", unbiased=unbiased)
  x = (1e4 + RNG.normal(size=(batches, rows, 3))).astype(np.float32)
  for exact in (True, False):
    if exact:
      x = np.round(x * 1024 / rows) / (1024 / rows)
    else:
      x = (x + RNG.normal(size=x.shape)).astype(np.float32)
    wide = x.astype(float)
    every = wide.reshape(-1, 3)
    running = scanned(x, rule)
    var = every.var(0, ddof=int(unbiased))
    r, s = 2.0**-11, wide.mean(1).std(0)
    bound = 4e-6 * var + (0 if exact else 2 * s * r + r * r)
    assert np.all(np.abs(running.var - var) <= bound)
    mean = np.asarray(running.mean, float) + np.asarray(running.rest, float)
    atol = 2e-6 if exact else r
    np.testing.assert_allclose(mean, every.mean(0), rtol=0, atol=atol)


@pytest.mark.parametrize(
  "rule", [ema(0.999), debiased_ema(0.999), cumulative()]
)
def test_small_steps_of_the_mean_are_not_lost(rule):
  """Steps below half a last place of 1000 in float32, 3e-5, add up."""
  n, start = 700, jnp.full(2, 1000.0)
  running = ops.Running(start, jnp.ones(2), jnp.ones(2))
  moments = ops.Moments(jnp.float32(8), start + 2.0**-7, jnp.ones(2))
  running, _ = jax.lax.scan(
    lambda r, _: (ops.update_running(r, moments, rule), None),
    running,
    length=n,
  )
  want = 1 - 0.999**n if rule.decay is not None else n / (n + 1)
  moved = (running.mean - start) + running.rest
  np.testing.assert_allclose(moved, np.full(2, 2.0**-7 * want), rtol=1e-4)


def test_rest_of_another_mean_is_forgotten():
  """Of statistics that had diverged, and were put right by hand."""
  running = ops.init_running(1, mean=5.0)
  for rest in (1e22, jnp.nan, jnp.inf):
    stale = running._replace(rest=jnp.full(1, rest))
    moments = ops.batch_moments(jnp.array([[1.0], [3.0]]))
    got = ops.update_running(stale, moments, ema(0.5))
    np.testing.assert_array_equal(got.mean, [3.5])
    np.testing.assert_array_equal(got.rest, [0])


RULES = [
  ema(0.9),
  debiased_ema(0.9),
  cumulative(unbiased=True),
  cumulative(weighting="count"),
]


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("bad", [np.nan, np.inf, 3e38])
def test_a_batch_that_is_not_finite_is_left_out_whole(rule, bad):
  good = RNG.normal(3, 2, (6, 3)).astype(np.float32)
  ruined = good.copy()
  ruined[2, 1] = bad  # 3e38 is finite; its square is not.
  update = jax.jit(ops.update_running, static_argnames="skip_nonfinite")
  before = update(ops.init_running(3), ops.batch_moments(good), rule)
  moments = ops.batch_moments(jnp.asarray(ruined))
  after = update(before, moments, rule, skip_nonfinite=True)
  jax.tree.map(np.testing.assert_array_equal, after, before)
  assert not np.isfinite(update(before, moments, rule).var[1])
  moments = ops.batch_moments(2 * good)
  got = update(before, moments, rule, skip_nonfinite=True)
  want = update(before, moments, rule)
  jax.tree.map(np.testing.assert_array_equal, got, want)


def test_what_is_masked_is_not_skipped_and_functions_pass_it_on():
  x = jnp.array([[1.0, 2.0], [3.0, 5.0], [jnp.nan, jnp.inf]])
  mask = jnp.array([[True], [True], [False]])
  start = ops.init_running(2)
  options = {"rule": debiased_ema(0.9), "skip_nonfinite": True}
  for call in (
    lambda **more: ops.apply_batch_norm(
      x, None, None, start, **options, **more
    ),
    lambda **more: ops.batch_renorm(x, None, None, start, **options, **more),
    lambda **more: ops.apply_batch_norm(
      x, None, None, start, normalize_with="running", **options, **more
    ),
  ):
    np.testing.assert_array_equal(call(mask=mask)[1].mean, [2, 3.5])
    jax.tree.map(np.testing.assert_array_equal, call()[1], start)


def test_three_parts_make_a_whole_running():
  mean, var, weight = jnp.ones(2), jnp.ones(2), jnp.full(2, 3.0)
  running = ops.Running(mean, var, weight)
  np.testing.assert_array_equal(running.var_weight, weight)
  np.testing.assert_array_equal(running.rest, [0, 0])
  structure = jax.tree.structure(ops.init_running(2))
  assert jax.tree.structure(running) == structure
  assert jax.tree.structure(ops.Running(0, 0, 0)) == structure  # As in_axes.
