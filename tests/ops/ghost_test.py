"""Ghost batch norm: groups apart, whatever the number of devices."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import references
from jax.sharding import AxisType, PartitionSpec

from bnjax import ops
from bnjax.linen import BatchNorm

X = references.batch((16, 3, 4), 1.0, 2.0)
SCALE, BIAS = references.affine(4)


def test_one_group_is_batch_norm():
  y, moments = ops.ghost_batch_norm(X, SCALE, BIAS, groups=1)
  expected, whole = ops.batch_norm(X, SCALE, BIAS)
  np.testing.assert_allclose(y, expected, rtol=1e-6, atol=1e-6)
  for one, other in zip(ops.merge_ghosts(moments), whole, strict=True):
    np.testing.assert_allclose(one, other, rtol=1e-6)


def test_each_group_is_a_batch():
  y, moments = ops.ghost_batch_norm(X, SCALE, BIAS, groups=4, activation="relu")
  for i in range(4):
    rows = slice(4 * i, 4 * i + 4)
    part, own = ops.batch_norm(X[rows], SCALE, BIAS)
    np.testing.assert_allclose(y[rows], np.maximum(part, 0), 1e-5, 1e-6)
    np.testing.assert_allclose(moments.var[i], own.var, rtol=1e-5)


def test_features_may_be_first():
  y, _ = ops.ghost_batch_norm(
    X.transpose(2, 1, 0), SCALE, BIAS, groups=3, feature_axes=0
  )
  part, _ = ops.batch_norm(X[:, 1], SCALE, BIAS)
  np.testing.assert_allclose(y[:, 1].T, part, rtol=1e-5, atol=1e-6)


def test_pooled_less_averaged_variance_is_that_of_the_means():
  _, moments = ops.ghost_batch_norm(X, groups=4)
  pooled = ops.merge_ghosts(moments)
  averaged = ops.merge_ghosts(moments, between=False)
  np.testing.assert_allclose(
    pooled.var - averaged.var, np.var(moments.mean, 0), rtol=1e-4, atol=1e-6
  )
  np.testing.assert_allclose(averaged.var, moments.var.mean(0), rtol=1e-5)
  np.testing.assert_allclose(pooled.var, X.var((0, 1)), rtol=1e-5)


def test_unequal_groups_weigh_by_their_counts():
  mask = np.arange(16)[:, None, None] < 13  # of four groups, the last has one
  _, moments = ops.ghost_batch_norm(X, groups=4, mask=mask)
  pooled = ops.merge_ghosts(moments)
  np.testing.assert_allclose(pooled.var, X[:13].var((0, 1)), rtol=1e-5)
  plain = moments.var.mean(0) + np.var(moments.mean, 0)
  assert np.abs(plain / pooled.var - 1).max() > 0.05


def test_same_as_the_linen_layer():
  y, _ = ops.ghost_batch_norm(X, SCALE, BIAS, groups=4)
  layer = BatchNorm(False, groups=4, momentum=0.0)
  theirs, updates = layer.apply(
    {
      "params": {"scale": SCALE, "bias": BIAS},
      "batch_stats": {"mean": jnp.zeros(4), "var": jnp.ones(4)},
    },
    X,
    mutable=["batch_stats"],
  )
  np.testing.assert_allclose(y, theirs, rtol=1e-5, atol=1e-6)
  np.testing.assert_allclose(
    updates["batch_stats"]["var"], X.var((0, 1)), rtol=1e-5
  )


@pytest.mark.parametrize("groups", [1, 2, 4, 8])
def test_groups_are_the_same_on_four_devices(groups):
  mesh = jax.make_mesh((4,), ("i",), (AxisType.Auto,))
  rows, whole = PartitionSpec("i"), PartitionSpec()

  def run(x, **options):
    y, moments = ops.ghost_batch_norm(x, SCALE, BIAS, groups=groups, **options)
    return y, moments.mean, moments.var

  def gradient(x, **options):
    return jax.grad(lambda x: (run(x, **options)[0] ** 3).sum())(x)

  def both(x, **options):
    return *run(x, **options), gradient(x, **options)

  ours = jax.jit(
    jax.shard_map(
      partial(both, axis_name="i"),
      mesh=mesh,
      in_specs=rows,
      out_specs=(rows, whole, whole, rows),
    )
  )(X)
  for one, other in zip(ours, both(X), strict=True):
    np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-4)


def test_hoffers_update_goes_group_after_group():
  _, moments = ops.ghost_batch_norm(X, groups=2)
  step = lambda running, m: (ops.update_running(running, m, ops.ema(0.9)), None)
  running, _ = jax.lax.scan(step, ops.init_running(4), moments)
  first, second = np.asarray(moments.mean)
  np.testing.assert_allclose(
    running.mean, 0.1 * second + 0.9 * 0.1 * first, rtol=1e-5
  )


def test_groups_that_do_not_fit_are_refused():
  with pytest.raises(ValueError, match="3 groups do not divide 16 examples"):
    ops.ghost_batch_norm(X, groups=3)
  with pytest.raises(ValueError, match="must be a multiple"):
    jax.vmap(
      lambda x: ops.ghost_batch_norm(x, groups=6, axis_name="i")[0],
      axis_name="i",
    )(X.reshape(4, 4, 3, 4))
  with pytest.raises(ValueError, match="no variance"):
    ops.ghost_batch_norm(X[:, 0], groups=16)
