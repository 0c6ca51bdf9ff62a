"""Moments: literal values, exactness, merging, masks, refusals."""

import hypothesis.strategies as st
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import references
from hypothesis import given, settings
from hypothesis.extra import numpy as hnp
from references import error

from bnjax.ops import Moments, batch_moments, merge_moments


@pytest.fixture(autouse=True)
def _strict():
  with jax.numpy_dtype_promotion("strict"):
    yield


def test_literal_values():
  count, mean, m2 = batch_moments(jnp.array([[1.0, 5.0], [3.0, 5.0]]))
  assert float(count) == 2.0
  np.testing.assert_array_equal(mean, [2.0, 5.0])
  np.testing.assert_array_equal(m2, [2.0, 0.0])


def test_variances_are_biased_and_unbiased():
  moments = Moments(jnp.array(4.0), jnp.array([0.0]), jnp.array([12.0]))
  np.testing.assert_array_equal(moments.var, [3.0])
  np.testing.assert_array_equal(moments.unbiased_var, [4.0])


@pytest.mark.parametrize("count", [0.0, 1.0])
def test_variances_are_zero_where_too_little_was_counted(count):
  moments = Moments(jnp.array(count), jnp.array([7.0]), jnp.array([0.0]))
  np.testing.assert_array_equal(moments.var, [0.0])
  np.testing.assert_array_equal(moments.unbiased_var, [0.0])


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("rows", [1000, 1024])
@pytest.mark.parametrize(("mean", "std"), [(1e4, 1), (1e3, 1e-2), (0, 1e4)])
def test_compiled_variance_is_exact(mean, std, rows, masked):
  x = references.batch((rows, 3), mean, std)
  mask = np.ones((rows, 1), bool) if masked else None
  moments = jax.jit(batch_moments)(x, mask=mask)
  assert error(moments.var, x.astype(np.float64).var(0)) < 1e-6
  apart = np.float64(moments.mean) - x.astype(np.float64).mean(0)
  assert np.max(np.abs(apart)) < 1e-7 * max(mean, std)


@pytest.mark.parametrize("outlier", [0, 1, 500, 999])
def test_one_far_row_costs_no_more_than_rounding(outlier):
  x = references.batch((1000, 4))
  x[outlier] = 1e4
  assert error(batch_moments(x).var, x.astype(np.float64).var(0)) < 1e-4


@given(
  st.floats(-1e6, 1e6, width=32),
  st.integers(1, 300),
  st.sampled_from([jnp.float32, jnp.bfloat16, jnp.float16]),
)
@settings(deadline=None, max_examples=15)
def test_equal_numbers_vary_by_rounding_at_most(value, rows, dtype):
  value = max(min(value, 6e4), -6e4)
  x = jnp.full((rows, 2), value, dtype)
  var = batch_moments(x).var
  assert np.all(var >= 0)
  assert np.all(var <= (1e-6 * abs(value)) ** 2)


def test_halves_are_summed_in_float32():
  x = jnp.full((4096, 1), 300.0, jnp.float16).at[::2].set(301.0)
  moments = batch_moments(x)
  assert moments.mean.dtype == jnp.float32
  np.testing.assert_array_equal(moments.mean, [300.5])
  np.testing.assert_array_equal(moments.var, [0.25])


def test_float64_stays_float64():
  with jax.enable_x64(True):
    x = 1e8 + np.random.default_rng(0).standard_normal((64, 2))
    moments = batch_moments(x)
    assert {leaf.dtype for leaf in moments} == {np.dtype(np.float64)}
    np.testing.assert_allclose(moments.var, x.var(0), rtol=1e-12)


@pytest.mark.parametrize("dtype", [np.int32, np.complex64, np.bool_])
def test_other_dtypes_are_refused(dtype):
  with pytest.raises(TypeError, match="real floating dtype"):
    batch_moments(np.ones((4, 2), dtype))


@pytest.mark.parametrize("axes", [2, -3, (0, 0), (1, -1)])
def test_axes_that_do_not_fit_are_refused(axes):
  with pytest.raises(ValueError, match="feature_axes"):
    batch_moments(np.ones((4, 2), np.float32), feature_axes=axes)


def test_masks_that_do_not_fit_are_refused():
  x = np.ones((4, 2), np.float32)
  with pytest.raises(TypeError, match="boolean"):
    batch_moments(x, mask=np.ones((4, 1), np.float32))
  for shape in [(3, 1), (1, 4, 2)]:
    with pytest.raises(ValueError, match="broadcast"):
      batch_moments(x, mask=np.ones(shape, bool))


@given(st.data())
@settings(deadline=None, max_examples=25)
def test_any_axes_and_any_mask(data):
  shape = data.draw(hnp.array_shapes(min_dims=1, max_dims=4, max_side=5))
  kept = data.draw(st.sets(st.integers(0, len(shape) - 1)))
  mask_shape = [data.draw(st.sampled_from([1, n])) for n in shape]
  mask = data.draw(hnp.arrays(bool, mask_shape))
  x = references.batch(shape, 3.0, 2.0)
  cells = np.broadcast_to(mask, shape)
  moments = batch_moments(
    np.where(cells, x, np.nan), feature_axes=tuple(kept), mask=mask
  )

  axes = tuple(set(range(len(shape))) - kept)
  features = tuple(shape[axis] for axis in sorted(kept))
  x, count = x.astype(np.float64), cells.sum(axes)
  mean = x.sum(axes, where=cells) / np.maximum(count, 1)
  apart = x - np.expand_dims(mean, axes)
  m2 = np.square(apart).sum(axes, where=cells)
  assert moments.mean.shape == moments.m2.shape == features
  assert moments.count.shape in ((), features)
  np.testing.assert_array_equal(np.broadcast_to(moments.count, features), count)
  np.testing.assert_allclose(moments.mean, mean, rtol=1e-6, atol=1e-6)
  np.testing.assert_allclose(moments.m2, m2, rtol=1e-5, atol=1e-5)


@given(st.lists(st.integers(0, 9), min_size=1, max_size=6), st.randoms())
@settings(deadline=None, max_examples=15)
def test_parts_merge_into_the_whole_in_any_order(sizes, random):
  x = references.batch((sum(sizes), 3), 100.0, 1.0)
  parts = [batch_moments(part) for part in np.split(x, np.cumsum(sizes)[:-1])]
  random.shuffle(parts)
  merged = parts[0]
  for part in parts[1:]:
    merged = merge_moments(merged, part)
  whole = batch_moments(x)
  assert float(merged.count) == len(x)
  np.testing.assert_allclose(merged.mean, whole.mean, rtol=1e-6)
  np.testing.assert_allclose(merged.m2, whole.m2, rtol=1e-4, atol=1e-5)


def test_merging_with_nothing_changes_nothing():
  some = batch_moments(references.batch((7, 3), 10.0))
  none = batch_moments(np.zeros((0, 3), np.float32))
  for merged in (merge_moments(some, none), merge_moments(none, some)):
    jax.tree.map(np.testing.assert_array_equal, merged, some)
  nothing = merge_moments(none, none)
  np.testing.assert_array_equal(np.stack([nothing.mean, nothing.m2]), 0)


@pytest.mark.parametrize("junk", [np.nan, np.inf, -3e38])
def test_what_an_empty_part_holds_does_not_matter(junk):
  some = batch_moments(jnp.array([[1.0], [3.0]]))
  junk = jnp.full(1, junk)
  none = Moments(jnp.array(0.0), junk, junk)
  for a, b in ((some, none), (none, some)):
    jax.tree.map(np.testing.assert_array_equal, merge_moments(a, b), some)
    slope = jax.grad(lambda a, b: merge_moments(a, b).m2.sum(), (0, 1))(a, b)
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(slope))
  both = merge_moments(none, none)
  np.testing.assert_array_equal([both.mean, both.m2], [[0], [0]])


def test_their_gradient_is_that_of_the_plain_formula():
  x = references.batch((16, 3), 5.0, 2.0)

  def ours(x):
    moments = batch_moments(x)
    return jnp.sum(jnp.sin(moments.mean) * moments.var)

  def plain(x):
    return jnp.sum(jnp.sin(x.mean(0)) * x.var(0))

  actual = jax.jit(jax.grad(ours))(x), jax.jit(jax.hessian(ours))(x)
  with jax.enable_x64(True):
    y = x.astype(np.float64)
    expected = jax.jit(jax.grad(plain))(y), jax.jit(jax.hessian(plain))(y)
  assert error(actual[0], expected[0]) < 1e-6
  assert error(actual[1], expected[1]) < 1e-6
