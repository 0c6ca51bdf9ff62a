"""Weighted statistics: repeated rows, NumPy's weighted mean, every mode."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import references
from jax.sharding import AxisType, PartitionSpec as P
from references import error

from bnjax.ops import (
  apply_batch_norm,
  batch_moments,
  batch_norm,
  ema,
  init_running,
  merge_moments,
)

X = references.batch((8, 3), 3.0, 2.0)
TIMES = np.array([0, 1, 2, 3, 0, 1, 2, 4])
WEIGHTS = TIMES[:, None]
ROWS = np.repeat(np.arange(8), TIMES)
SCALE, BIAS = references.affine(3)


@pytest.mark.parametrize("mean", [0.0, 1e4])
@pytest.mark.parametrize("unit", [1.0, 0.01, 1e6])
def test_moments_are_numpys_weighted_ones(mean, unit):
  x = X + np.float32(mean)
  weights = np.float32(unit) * WEIGHTS.astype(np.float32)
  moments = batch_moments(x, weights=weights)
  wide = x.astype(np.float64)
  expected = np.average(wide, 0, TIMES)
  var = np.average(np.square(wide - expected), 0, TIMES)
  np.testing.assert_allclose(moments.count, weights.sum(), rtol=1e-6)
  np.testing.assert_allclose(moments.mean, expected, rtol=1e-6)
  np.testing.assert_allclose(moments.var, var, rtol=1e-5)


def test_integer_weights_repeat_rows():
  ours, repeated = batch_moments(X, weights=WEIGHTS), batch_moments(X[ROWS])
  assert float(ours.count) == len(ROWS)
  for one, other in zip(ours, repeated, strict=True):
    np.testing.assert_allclose(one, other, rtol=1e-6)
  y, _ = batch_norm(X, SCALE, BIAS, weights=WEIGHTS)
  np.testing.assert_allclose(
    y[ROWS], batch_norm(X[ROWS], SCALE, BIAS)[0], rtol=1e-5, atol=1e-6
  )
  parts = [batch_moments(X[i : i + 4], weights=0.1 * WEIGHTS[i : i + 4])
           for i in (0, 4)]  # fmt: skip
  merged = merge_moments(*parts)
  np.testing.assert_allclose(merged.mean, ours.mean, rtol=1e-6)
  np.testing.assert_allclose(merged.var, ours.var, rtol=1e-5)


def test_cells_of_weight_0_are_normalized_and_count_for_nothing():
  x = X.copy()
  x[0], x[4] = np.nan, 1e9
  y, moments = batch_norm(x, weights=WEIGHTS)
  clean, expected = batch_norm(X, weights=WEIGHTS)
  for one, other in zip(moments, expected, strict=True):
    np.testing.assert_array_equal(one, other)
  assert np.isnan(y[0]).all()
  np.testing.assert_array_equal(np.delete(y, [0, 4], 0),
                                np.delete(clean, [0, 4], 0))  # fmt: skip
  np.testing.assert_allclose(
    y[4], (1e9 - moments.mean) / np.sqrt(moments.var), rtol=1e-4
  )
  y, _ = batch_norm(x, weights=WEIGHTS, mask=TIMES[:, None] > 0)
  np.testing.assert_array_equal(np.asarray(y)[[0, 4]], 0)


@pytest.mark.parametrize("relu", [None, "relu"])
@pytest.mark.parametrize("mode", ["grad", "hessian"])
def test_derivatives_are_exact(mode, relu):
  def ours(x, scale, bias):
    y, moments = batch_norm(x, scale, bias, weights=WEIGHTS, activation=relu)
    return jnp.sin(y).sum() + (moments.mean * moments.var).sum()

  def plain(x, scale, bias):
    count = WEIGHTS.sum()
    mean = (WEIGHTS * x).sum(0) / count
    c = x - mean[None]
    var = (WEIGHTS * jnp.square(c)).sum(0) / count
    y = c / jnp.sqrt(var + 1e-5)[None] * scale[None] + bias[None]
    y = jnp.maximum(y, 0) if relu else y
    return jnp.sin(y).sum() + (mean * var).sum()

  derive = jax.grad if mode == "grad" else jax.hessian
  args = X, SCALE, BIAS
  actual = jax.jit(derive(ours, (0, 1, 2)))(*args)
  with jax.enable_x64(True):
    wide = [a.astype(np.float64) for a in args]
    expected = jax.jit(derive(plain, (0, 1, 2)))(*wide)
  assert jax.tree.all(
    jax.tree.map(lambda a, e: error(a, e) < 3e-6, actual, expected)
  )


def test_no_gradient_flows_into_weights():
  weights = WEIGHTS.astype(np.float32)
  loss = lambda w: jnp.sin(batch_norm(X, weights=w)[0]).sum()
  np.testing.assert_array_equal(jax.grad(loss)(weights), 0)


@pytest.mark.parametrize("how", ["vmap", "shard_map"])
def test_members_weigh_by_their_sums(how):
  weights = 0.1 * WEIGHTS.astype(np.float32)
  step = lambda x, w: batch_norm(x, weights=w, axis_name="d")[0]

  def whole(x):
    if how == "vmap":
      parts = x.reshape(4, 2, 3), weights.reshape(4, 2, 1)
      return jax.vmap(step, axis_name="d")(*parts).reshape(x.shape)
    mesh = jax.make_mesh((4,), ("d",), axis_types=(AxisType.Auto,))
    return jax.shard_map(step, mesh=mesh, in_specs=P("d"), out_specs=P("d"))(
      x, weights
    )

  both = jax.jit(jax.value_and_grad(lambda x: jnp.sin(whole(x)).sum()))
  one = lambda x: jnp.sin(batch_norm(x, weights=weights)[0]).sum()
  expected = jax.jit(jax.value_and_grad(one))(X)
  for a, e in zip(both(X), expected, strict=True):
    np.testing.assert_allclose(a, e, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("source", ["batch", "running"])
def test_running_statistics_follow_them(source):
  apply = partial(
    apply_batch_norm, rule=ema(0.0), normalize_with=source, weights=WEIGHTS
  )
  _, running = apply(X, None, None, init_running(3))
  expected = batch_moments(X[ROWS])
  np.testing.assert_allclose(running.mean, expected.mean, rtol=1e-6)
  np.testing.assert_allclose(running.var, expected.var, rtol=1e-5)


def test_weights_that_do_not_fit_are_refused():
  with pytest.raises(TypeError, match="weights must be real numbers"):
    batch_norm(X, weights=WEIGHTS > 0)
  with pytest.raises(ValueError, match=r"weights \(7, 1\) does not broadcast"):
    batch_norm(X, weights=WEIGHTS[1:])
  with pytest.raises(TypeError, match="weights="):
    batch_norm(X, mask=WEIGHTS.astype(np.float32))
