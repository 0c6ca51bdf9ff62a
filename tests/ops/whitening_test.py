"""ZCA and IterNorm: covariances, closed forms, spectra, inference."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import references
from jax.sharding import AxisType, PartitionSpec
from references import error

from bnjax import ops

# Deviations from 3 to 0.3 along rotated axes.
BASIS = np.linalg.qr(np.random.default_rng(3).normal(size=(6, 6)))[0]
MIX = np.float32(BASIS * [3, 2, 1, 1, 0.5, 0.3])
X = references.batch((64, 6), 1.0) @ MIX.T
EYE = np.eye(6)


def test_literal_values():
  x = jnp.array([[3.0, 3.0], [-3.0, -3.0], [1.0, -1.0], [-1.0, 1.0]])
  # Along (1, 1) the variance is 9, along (1, -1) it is 1.
  y, batch = ops.whiten(x, epsilon=0.0)
  np.testing.assert_allclose(y, [[1, 1], [-1, -1], [1, -1], [-1, 1]], rtol=1e-5)
  np.testing.assert_array_equal(batch.cov, [[[5, 4], [4, 5]]])
  one = ops.newton_matrix(jnp.array([[3.0]]), steps=1, epsilon=0.0)
  np.testing.assert_allclose(one, [[3**-0.5]], rtol=1e-6)
  two = ops.newton_matrix(2 * jnp.eye(2), steps=2, epsilon=0.0)
  p = 1.25 * 1.5 - 0.5 * 1.25**3 / 2  # P_1 = 1.25 where A = I / 2.
  np.testing.assert_allclose(two, p / 2 * np.eye(2), rtol=1e-6)


@pytest.mark.parametrize("groups", [1, 2, 3])
def test_whitened_groups_have_covariance_one(groups):
  y, batch = ops.whiten(X, groups=groups, epsilon=1e-9)
  after = ops.batch_covariance(y, groups=groups).cov
  eye = np.broadcast_to(np.eye(6 // groups), after.shape)
  np.testing.assert_allclose(after, eye, atol=1e-4)
  np.testing.assert_allclose(y.mean(0), 0, atol=1e-5)
  part = slice(0, 6 // groups)
  cov = np.cov(np.float64(X[:, part]), rowvar=False, bias=True)
  np.testing.assert_allclose(batch.cov[0], cov, rtol=1e-5, atol=1e-5)


def test_groups_of_one_feature_are_batch_norm():
  scale, bias = references.affine(6)
  expected, _ = ops.batch_norm(X, scale, bias)
  for function in (ops.whiten, ops.iter_norm):
    y, _ = function(X, scale, bias, groups=6)
    np.testing.assert_allclose(y, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("mean", [0, 1e4])
def test_zca_equals_float64(mean):
  x = np.float32(X + mean)
  wide = np.float64(x) - np.mean(x, 0, np.float64)
  values, vectors = np.linalg.eigh(wide.T @ wide / len(x) + 1e-5 * EYE)
  expected = wide @ (vectors / np.sqrt(values)) @ vectors.T
  assert error(ops.whiten(x)[0], expected) < 1e-4


def test_more_newton_steps_come_closer_to_zca_and_stay():
  zca = ops.zca_matrix(ops.batch_covariance(X).cov)
  apart = [
    error(ops.newton_matrix(ops.batch_covariance(X).cov, steps=n), zca)
    for n in (1, 5, 10, 25, 60)
  ]
  assert apart[0] > apart[1] > apart[2] > apart[3]
  assert max(apart[3:]) < 1e-4
  y, _ = ops.iter_norm(X, steps=25)
  np.testing.assert_allclose(ops.batch_covariance(y).cov[0], EYE, atol=1e-2)


def test_newton_is_the_papers_iteration():
  cov = np.asarray(ops.batch_covariance(X).cov[0], np.float64)
  trace = np.trace(cov)
  p, a = EYE, cov / trace
  for _ in range(5):
    p = (3 * p - p @ p @ p @ a) / 2
  ours = ops.newton_matrix(jnp.float32(cov), epsilon=0.0)
  assert error(ours, p / np.sqrt(trace)) < 1e-5


def inverse_root_tangent(a, da):
  """Differences of (a + t da)^-1/2 in float64."""

  def root(a):
    values, vectors = np.linalg.eigh(a)
    return (vectors / np.sqrt(values)) @ vectors.T

  return (root(a + 1e-5 * da) - root(a - 1e-5 * da)) / 2e-5


@pytest.mark.parametrize("values", [[2, 2, 2], [4, 4, 1], [1, 2, 3]])
def test_derivative_where_eigenvalues_are_equal(values):
  rng = np.random.default_rng(0)
  basis = np.linalg.qr(rng.normal(size=(3, 3)))[0]
  a = basis * np.float64(values) @ basis.T
  da = rng.normal(size=(3, 3))
  da = da + da.T
  weights = rng.normal(size=(3, 3))
  with jax.enable_x64(True):
    root = lambda a: ops.zca_matrix(a, epsilon=0.0)
    _, tangent = jax.jvp(root, (a,), (da,))
    np.testing.assert_allclose(tangent, inverse_root_tangent(a, da), atol=1e-8)
    gradient = lambda a: jax.vjp(root, a)[1](weights)[0]
    np.testing.assert_allclose(
      (gradient(a) * da).sum(), (weights * tangent).sum(), rtol=1e-10
    )
    # Every order: the gradient's own derivative, by differences.
    _, second = jax.jvp(gradient, (a,), (da,))
    apart = (gradient(a + 1e-5 * da) - gradient(a - 1e-5 * da)) / 2e-5
    np.testing.assert_allclose(second, apart, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("function", [ops.whiten, ops.iter_norm])
def test_fewer_examples_than_features_are_finite(function):
  x = references.batch((3, 6))
  y, pullback = jax.vjp(lambda x: function(x, epsilon=1e-3)[0], x)
  assert np.isfinite(y).all()
  assert np.isfinite(pullback(x)[0]).all()


@pytest.mark.parametrize("features_first", [False, True])
def test_inference_by_the_batch_is_training(features_first):
  x = X.reshape(16, 4, 6)
  axis = 1 if features_first else -1
  x = np.moveaxis(x, -1, 1) if features_first else x
  scale, bias = references.affine(6)
  y, batch = ops.whiten(x, scale, bias, groups=2, feature_axis=axis)
  matrix = ops.zca_matrix(batch.cov)
  again = ops.apply_whitening(
    x, batch.mean, matrix, scale, bias, feature_axis=axis
  )
  np.testing.assert_allclose(y, again, rtol=1e-4, atol=1e-4)


def test_running_average():
  batch = ops.batch_covariance(X, groups=2)
  running = ops.update_covariance(ops.init_covariance(6, groups=2), batch, 0.9)
  np.testing.assert_allclose(running.mean, 0.1 * batch.mean, rtol=1e-5)
  np.testing.assert_allclose(
    running.cov, 0.9 * np.eye(3)[None] + 0.1 * batch.cov, rtol=1e-5, atol=1e-6
  )
  nothing = ops.batch_covariance(X, groups=2, mask=np.zeros((64, 1), bool))
  after = ops.update_covariance(running, nothing, 0.9)
  jax.tree.map(np.testing.assert_array_equal, after, running)


def test_devices_are_one_batch():
  mesh = jax.make_mesh((4,), ("i",), (AxisType.Auto,))
  rows = PartitionSpec("i")

  def run(x, axis_name=None):
    weights = jnp.arange(6.0)[None]
    f = lambda x: ops.whiten(x, groups=2, axis_name=axis_name)[0]
    y, pullback = jax.vjp(f, x)
    return y, pullback(y**2 * weights)[0]

  sharded = jax.shard_map(
    lambda x: run(x, "i"), mesh=mesh, in_specs=rows, out_specs=rows
  )
  for one, other in zip(jax.jit(sharded)(X), run(X), strict=True):
    np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-3)


def test_what_does_not_fit_is_refused():
  with pytest.raises(ValueError, match="4 groups do not divide 6 features"):
    ops.whiten(X, groups=4)
  with pytest.raises(ValueError, match="differs between features"):
    ops.whiten(X, mask=np.ones((64, 6), bool))
  with pytest.raises(ValueError, match="no variance"):
    ops.iter_norm(X[:1])
  with pytest.raises(ValueError, match="is for 4 features"):
    ops.apply_whitening(X, np.zeros(6), np.eye(4)[None])
