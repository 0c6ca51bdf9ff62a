"""The training transform: values, exactness, masks, dtypes, refusals."""

import flax.linen as nn
import hypothesis.strategies as st
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import references
from hypothesis import given, settings
from hypothesis.extra import numpy as hnp
from references import error

from bnjax.ops import batch_moments, batch_norm


@pytest.fixture(autouse=True)
def _strict():
  with jax.numpy_dtype_promotion("strict"):
    yield


def gradients(dy, *args, **settings):
  """Returns y and the gradients of x, scale and bias."""
  y, pullback, _ = jax.vjp(
    lambda *args: batch_norm(*args, **settings), *args, has_aux=True
  )
  return y, *pullback(dy)


def test_literal_values():
  x, one = jnp.array([[1.0], [5.0]]), jnp.ones(1)
  y, moments = batch_norm(x, 10 * one, one, epsilon=0.0)
  np.testing.assert_array_equal(y, [[-9.0], [11.0]])
  np.testing.assert_array_equal(moments.var, [4.0])


@pytest.mark.parametrize(("rows", "features"), [(1024, 64), (10**6, 4)])
@pytest.mark.parametrize(
  ("mean", "std"),
  [(0, 1), (10, 1), (1e2, 1), (1e3, 1), (1e4, 1), (1e3, 1e-2), (0, 1e-4),
   (0, 1e4)],
)  # fmt: skip
def test_output_and_gradients_are_exact(mean, std, rows, features):
  x = references.batch((rows, features), mean, std)
  dy = references.batch((rows, features), seed=2)
  scale, bias = references.affine(features)
  y, *actual = jax.jit(gradients)(dy, x, scale, bias)
  expected = references.algorithm_1_backward(dy, x, scale)
  assert error(y, references.algorithm_1(x, scale, bias)) < 2e-6
  for ours, theirs in zip(actual, expected, strict=True):
    assert error(ours, theirs) < 2e-6


def test_equals_flax():
  x = references.batch((8, 5, 5, 3), 2.0, 3.0)
  scale, bias = references.affine(3)
  y, updates = nn.BatchNorm(use_running_average=False, momentum=0.0).apply(
    {
      "params": {"scale": scale, "bias": bias},
      "batch_stats": {"mean": np.zeros(3), "var": np.ones(3)},
    },
    x,
    mutable=["batch_stats"],
  )
  ours, moments = batch_norm(x, scale, bias)
  np.testing.assert_allclose(ours, y, rtol=1e-4, atol=1e-5)
  stats = updates["batch_stats"]
  np.testing.assert_allclose(moments.mean, stats["mean"], rtol=1e-5)
  np.testing.assert_allclose(moments.var, stats["var"], rtol=1e-5)


def test_reduces_to_layer_and_instance_norm():
  x = references.batch((4, 6, 5), 2.0, 3.0)
  for axes in [(0, 1), (0, 2)]:
    ours, _ = batch_norm(x, feature_axes=axes)
    rest = tuple({0, 1, 2} - set(axes))
    apart = x - x.mean(rest, keepdims=True)
    other = apart / np.sqrt(x.var(rest, keepdims=True) + 1e-5)
    np.testing.assert_allclose(ours, other, rtol=1e-4, atol=1e-5)


def test_is_invariant_to_scale_and_shift_of_its_input():
  x = references.batch((32, 3))
  y, _ = batch_norm(x, epsilon=0.0)
  z, _ = batch_norm(8 * x + 16, epsilon=0.0)
  np.testing.assert_allclose(y, z, rtol=1e-5, atol=1e-5)


@given(st.data())
@settings(deadline=None, max_examples=12)
def test_masked_cells_are_as_if_they_were_not_there(data):
  rows = data.draw(st.sampled_from([2, 5, 12]))
  keep = data.draw(hnp.arrays(bool, rows))
  hole = data.draw(st.sampled_from([np.nan, np.inf, -np.inf, 1e30]))
  x, dy = references.batch((rows, 3), 5.0), references.batch((rows, 3), seed=2)
  affine = references.affine(3)
  holed = np.where(keep[:, None], x, np.float32(hole))
  dy_holed = np.where(keep[:, None], dy, np.float32(hole))
  y, *actual = jax.jit(gradients)(dy_holed, holed, *affine, mask=keep[:, None])
  assert not np.any(y[~keep])
  assert not np.any(actual[0][~keep])
  if keep.sum() == 0:
    assert not any(np.any(gradient) for gradient in actual)
  if keep.sum() > 1:
    kept = jax.jit(gradients)(dy[keep], x[keep], *affine)
    ours = y[keep], actual[0][keep], *actual[1:]
    for one, other in zip(ours, kept, strict=True):
      np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)


def test_mask_may_differ_between_features():
  x, mask = references.batch((9, 2)), np.ones((9, 2), bool)
  mask[4:, 0] = False
  y, moments = batch_norm(x, mask=mask)
  np.testing.assert_array_equal(moments.count, [4, 9])
  first, _ = batch_norm(x[:4, :1])
  np.testing.assert_allclose(y[:4, :1], first, rtol=1e-5)


def test_nothing_counted_gives_zeros():
  x, (scale, bias) = np.full((4, 3), np.nan, np.float32), references.affine(3)
  y, *actual = gradients(x, x, scale, bias, mask=np.zeros((4, 1), bool))
  for array in (y, *actual):
    np.testing.assert_array_equal(array, 0)
  y, moments = batch_norm(x[:0], scale, bias)
  assert y.shape == (0, 3)
  np.testing.assert_array_equal(moments.mean, 0)


def test_one_value_per_feature_is_refused():
  x = np.ones((1, 3), np.float32)
  with pytest.raises(ValueError, match="no variance"):
    batch_norm(x)
  with pytest.raises(ValueError, match="no variance"):
    jax.jit(batch_norm)(x)
  assert float(batch_moments(x).count) == 1


def test_one_valid_value_gives_the_bias():
  x, (scale, bias) = references.batch((4, 3), 5.0), references.affine(3)
  mask = np.arange(4)[:, None] == 2
  y, dx, *_ = gradients(x, x, scale, bias, mask=mask)
  np.testing.assert_allclose(y[2], bias, rtol=1e-6)
  np.testing.assert_array_equal(dx, 0)


@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float16, jnp.float32])
def test_dtypes_are_kept(dtype):
  x = jnp.asarray(references.batch((64, 3), 8.0), dtype)
  scale, bias = (jnp.asarray(v, jnp.bfloat16) for v in references.affine(3))
  y, dx, dscale, dbias = gradients(x, x, scale, bias)
  assert (y.dtype, dx.dtype) == (dtype, dtype)
  assert (dscale.dtype, dbias.dtype) == (jnp.bfloat16, jnp.bfloat16)
  wide, *_ = gradients(*(v.astype(jnp.float32) for v in (x, x, scale, bias)))
  assert error(y, wide) < jnp.finfo(dtype).eps


def test_float64_is_exact():
  x = 1e8 + references.batch((64, 3)).astype(np.float64)
  scale, bias = (v.astype(np.float64) for v in references.affine(3))
  with jax.enable_x64(True):
    y, _ = batch_norm(x, scale, bias)
    assert y.dtype == np.float64
    # The reference's own mean is right to 1e-8.
    assert error(y, references.algorithm_1(x, scale, bias)) < 1e-7


def test_half_overflows_nowhere():
  x = jnp.array([[6e4], [-6e4]], jnp.float16)
  y, moments = batch_norm(x)
  np.testing.assert_allclose(np.float32(y), [[1.0], [-1.0]], rtol=1e-3)
  np.testing.assert_allclose(moments.var, [3.6e9], rtol=1e-3)


def test_fused_relu_is_relu_after_it():
  x, affine = references.batch((32, 3)), references.affine(3)
  dy = references.batch((32, 3), seed=2)

  def plain(*args):
    return jax.nn.relu(batch_norm(*args)[0])

  y, pullback = jax.vjp(plain, x, *affine)
  fused = gradients(dy, x, *affine, activation="relu")
  for ours, other in zip(fused, (y, *pullback(dy)), strict=True):
    np.testing.assert_allclose(ours, other, rtol=1e-5, atol=1e-6)


def test_arguments_that_do_not_fit_are_refused():
  x = np.ones((4, 3), np.float32)
  with pytest.raises(ValueError, match="scale has shape"):
    batch_norm(x, np.ones(4, np.float32))
  with pytest.raises(ValueError, match="activation"):
    batch_norm(x, activation="gelu")
  with pytest.raises(ValueError, match="needs an axis_name"):
    batch_norm(x, axis_index_groups=[[0]])
  with pytest.raises(TypeError, match="real floating dtype"):
    batch_norm(x.astype(np.complex64))
