"""Population statistics against float64, in loops, scans and on devices."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import AxisType, PartitionSpec

from bnjax import ops

RNG = np.random.default_rng(0)
X = np.asarray(RNG.normal(2, 3, size=(8, 16, 4)), np.float32)


def reference(batches, estimator):
  wide = [np.asarray(batch, np.float64) for batch in batches]
  if estimator == "pooled":
    every = np.concatenate(wide)
    return every.mean(0), every.var(0)
  means = [batch.mean(0) for batch in wide]
  return np.mean(means, 0), np.mean([b.var(0, ddof=1) for b in wide], 0)


def assert_moments(moments, mean, var, rtol=2e-6):
  np.testing.assert_allclose(moments.mean, mean, rtol=rtol, atol=rtol)
  np.testing.assert_allclose(moments.var, var, rtol=rtol)


def collect(batch):
  """Moments of two layers."""
  return {"a": ops.batch_moments(batch), "b": (ops.batch_moments(2 * batch),)}


@pytest.mark.parametrize("estimator", ["pooled", "paper"])
def test_unequal_minibatches_from_a_generator(estimator):
  batches = [X[0], X[1, :5], X[2, :2], X[3]]
  stats = ops.population_moments(collect, iter(batches), estimator=estimator)
  mean, var = reference(batches, estimator)
  assert_moments(stats["a"], mean, var)
  assert_moments(stats["b"][0], 2 * mean, 4 * var)
  want = sum(map(len, batches)) if estimator == "pooled" else len(batches)
  assert stats["a"].count == want


@pytest.mark.parametrize("estimator", ["pooled", "paper"])
def test_stacked_under_jit_and_vmap(estimator):
  def run(x):
    return ops.population_moments_stacked(
      ops.batch_moments, x, estimator=estimator
    )

  assert_moments(jax.jit(run)(X), *reference(X, estimator))
  both = jax.vmap(run)(jnp.stack([X, 5 * X]))
  mean, var = reference(X, estimator)
  assert_moments(jax.tree.map(lambda v: v[1], both), 5 * mean, 25 * var, 4e-6)


@pytest.mark.parametrize("estimator", ["pooled", "paper"])
@pytest.mark.parametrize("pooled_in_collect", [False, True])
def test_across_devices(estimator, pooled_in_collect):
  mesh = jax.make_mesh((4,), ("d",), axis_types=(AxisType.Auto,))
  spec = PartitionSpec

  def run(x):  # Every device has its own two minibatches, or a shard of each.
    name = "d" if pooled_in_collect else None
    return ops.population_moments_stacked(
      lambda batch: ops.batch_moments(batch, axis_name=name),
      x,
      estimator=estimator,
      axis_name=None if pooled_in_collect else "d",
    )

  sharded = spec(None, "d") if pooled_in_collect else spec("d")
  run = jax.shard_map(run, mesh=mesh, in_specs=sharded, out_specs=spec())
  assert_moments(jax.jit(run)(X), *reference(X, estimator))


def test_pooled_counts_what_differs_between_minibatches():
  """The paper's estimator leaves it out."""
  apart = X + 10 * np.arange(8, dtype=np.float32)[:, None, None]
  pooled = ops.population_moments(ops.batch_moments, apart)
  paper = ops.population_moments(ops.batch_moments, apart, estimator="paper")
  assert_moments(pooled, *reference(apart, "pooled"))
  assert_moments(paper, *reference(apart, "paper"))
  assert np.all(pooled.var > 20 * paper.var)


@pytest.mark.parametrize("estimator", ["pooled", "paper"])
def test_large_mean_and_many_minibatches(estimator):
  """A float32 running mean stands still here, off by a tenth of deviation."""
  rng = np.random.default_rng(1)
  x = (1e4 + rng.normal(size=(3000, 4, 2))).astype(np.float32)
  run = jax.jit(
    lambda x: ops.population_moments_stacked(
      ops.batch_moments, x, estimator=estimator
    )
  )
  moments = run(x)
  mean, var = reference(x, estimator)
  # Half the last place of a float32 near 1e4 is 4.9e-4.
  np.testing.assert_allclose(moments.mean, mean, atol=5.5e-4, rtol=0)
  np.testing.assert_allclose(moments.var, var, rtol=3e-5)


def test_empty_minibatches_count_for_nothing():
  def masked(batch):
    x, keep = batch
    return ops.batch_moments(x, mask=keep[:, None])

  keep = np.ones((8, 16), bool)
  keep[0], keep[5], keep[6, 1:] = False, False, False
  x = np.where(keep[..., None], X, np.nan)
  for estimator in ("pooled", "paper"):
    got = ops.population_moments_stacked(masked, (x, keep), estimator=estimator)
    if estimator == "pooled":
      assert_moments(got, *reference([*X[1:5], X[6, :1], X[7]], estimator))
    else:  # One value has a mean but no variance.
      mean, _ = reference([*X[1:5], X[6, :1].repeat(2, 0), X[7]], estimator)
      _, var = reference([*X[1:5], X[7]], estimator)
      assert_moments(got, mean, var)


def test_errors():
  with pytest.raises(ValueError, match="no batches"):
    ops.population_moments(ops.batch_moments, [])
  with pytest.raises(ValueError, match="one number of stacked"):
    ops.population_moments_stacked(lambda b: b[0], (X, X[:2]))
  with pytest.raises(ValueError, match="estimator"):
    ops.population_moments(ops.batch_moments, [X], estimator="mean")
