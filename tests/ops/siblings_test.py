"""Layer, group, instance and RMS norm: values, peers, identities, refusals."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import references
from references import error

from bnjax import ops

X = references.batch((4, 5, 3, 6), 2.0, 3.0)
SCALE, BIAS = references.affine(6)
PARAMS = {"params": {"scale": SCALE, "bias": BIAS}}


@pytest.fixture(autouse=True)
def _strict():
  with jax.numpy_dtype_promotion("strict"):
    yield


def test_literal_values():
  x = jnp.array([[3.0, -4.0, 0.0, 0.0]])
  two = jnp.full(4, 2.0)
  # The mean square is 25 / 4, and 25 with epsilon.
  y = ops.rms_norm(x, two, epsilon=18.75)
  np.testing.assert_allclose(y, 2 / 5 * x, rtol=1e-6)
  y = ops.group_norm(x, two, two, groups=2, epsilon=0.25)
  half = 3.5 / (3.5**2 + 0.25) ** 0.5
  np.testing.assert_allclose(
    y, [[2 + 2 * half, 2 - 2 * half, 2, 2]], rtol=1e-6, atol=1e-6
  )


@pytest.mark.parametrize(
  ("ours", "peer"),
  [
    (lambda x: ops.layer_norm(x, SCALE, BIAS), nn.LayerNorm()),
    (
      lambda x: ops.layer_norm(x, SCALE, BIAS, reduction_axes=(1, -1)),
      nn.LayerNorm(reduction_axes=(1, 3)),
    ),
    (
      lambda x: ops.group_norm(x, SCALE, BIAS, groups=3),
      nn.GroupNorm(num_groups=3),
    ),
    (lambda x: ops.instance_norm(x, SCALE, BIAS), nn.InstanceNorm()),
    (lambda x: ops.rms_norm(x, SCALE), nn.RMSNorm()),
  ],
)
def test_equals_flax(ours, peer):
  params = PARAMS
  if isinstance(peer, nn.RMSNorm):
    params = {"params": {"scale": SCALE}}

  def theirs(x):
    with jax.numpy_dtype_promotion("standard"):
      return peer.apply(params, x)

  weights = references.batch(X.shape, seed=3)
  for function in (lambda f: f(X), lambda f: jax.vjp(f, X)[1](weights)[0]):
    np.testing.assert_allclose(
      function(ours), function(theirs), rtol=1e-4, atol=1e-5
    )


def test_equals_torch():
  torch = pytest.importorskip("torch")
  x = np.moveaxis(X, -1, 1)
  theirs = torch.nn.functional
  args = [torch.tensor(a) for a in (SCALE, BIAS)]
  y = theirs.group_norm(torch.tensor(x), 2, *args, 1e-6)
  ours = ops.group_norm(x, SCALE, BIAS, groups=2, feature_axis=1)
  np.testing.assert_allclose(ours, y, rtol=1e-4, atol=1e-5)
  y = theirs.layer_norm(torch.tensor(X), (6,), *args, 1e-6)
  np.testing.assert_allclose(
    ops.layer_norm(X, SCALE, BIAS), y, rtol=1e-4, atol=1e-5
  )


def test_group_norm_lies_between_layer_and_instance_norm():
  space = {"reduction_axes": (1, 2, 3)}
  one, six = (ops.group_norm(X, SCALE, BIAS, groups=g) for g in (1, 6))
  same = {"rtol": 1e-5, "atol": 1e-5}
  np.testing.assert_allclose(
    one, ops.layer_norm(X, SCALE, BIAS, **space), **same
  )
  np.testing.assert_allclose(six, ops.instance_norm(X, SCALE, BIAS), **same)


def test_rms_norm_is_layer_norm_of_what_has_mean_zero():
  x = X - X.mean(-1, keepdims=True)
  np.testing.assert_allclose(
    ops.rms_norm(x), ops.layer_norm(x), rtol=1e-4, atol=1e-6
  )


@pytest.mark.parametrize("mean", [0, 1e4])
def test_layer_norm_is_exact(mean):
  x = references.batch((8, 256), mean)
  wide = np.asarray(x, np.float64).T
  expected = references.algorithm_1(wide, np.ones(8), np.zeros(8), 1e-6).T
  assert error(ops.layer_norm(x), expected) < 2e-6


def test_features_and_space_may_be_sharded():
  parts = jnp.stack(jnp.split(X, 2, 3))
  for norm in (ops.layer_norm, ops.rms_norm):
    y = jax.vmap(lambda x, n=norm: n(x, axis_name="i"), axis_name="i")(parts)
    np.testing.assert_allclose(
      np.concatenate(y, 3), norm(X), rtol=1e-4, atol=1e-5
    )


def test_masked_positions_are_as_if_they_were_not_there():
  x = X.copy()
  x[:, 3:] = np.nan
  mask = (np.arange(5) < 3)[None, :, None, None]
  for norm in (
    ops.instance_norm,
    lambda x, **m: ops.group_norm(x, groups=2, **m),
  ):
    y = norm(x, mask=mask)
    np.testing.assert_allclose(y[:, :3], norm(X[:, :3]), rtol=1e-4, atol=1e-5)
    assert not np.any(y[:, 3:])


def test_what_has_no_variance_is_refused():
  x = np.ones((4, 6), np.float32)
  for norm in (
    ops.instance_norm,
    lambda x: ops.group_norm(x, groups=6),
    lambda x: ops.layer_norm(x[:, :1]),
  ):
    with pytest.raises(ValueError, match="no variance"):
      norm(x)
  with pytest.raises(ValueError, match="4 groups do not divide 6 features"):
    ops.group_norm(x, groups=4)
  with pytest.raises(ValueError, match="scale has shape"):
    ops.layer_norm(x, np.ones(4, np.float32))
