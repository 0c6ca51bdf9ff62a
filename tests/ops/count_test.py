"""Counts at and above 2^31 cells a feature, by shapes and small programs."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from bnjax.ops import _count, batch_moments, batch_norm, layer_norm, rms_norm

LARGE = (8192, 512, 512, 4)  # 2^31 cells a feature.


def shape_of(shape, dtype=jnp.bfloat16):
  return jax.ShapeDtypeStruct(shape, dtype)


def count_of(x, mask=None):
  return batch_moments(x, mask=mask).count


def test_shapes_alone():
  moments = jax.eval_shape(batch_moments, shape_of(LARGE))
  assert moments.mean.shape == (4,)
  for rows in (1, 8192):
    mask = shape_of((rows, 1, 1, 1), bool)
    y, _ = jax.eval_shape(lambda x, m: batch_norm(x, mask=m)[:2],
                          shape_of(LARGE), mask)  # fmt: skip
    assert y.shape == LARGE
  for norm in (layer_norm, rms_norm):
    wide = shape_of((2, 2**31))
    assert jax.eval_shape(norm, wide).shape == wide.shape


@pytest.mark.parametrize("factor", [1, 2, 3])
def test_the_lowered_count_is_right(factor):
  shape = (factor * LARGE[0], *LARGE[1:])
  # What is not used is not computed: the program is that of the count alone.
  program = jax.jit(count_of).lower(shape_of(shape)).as_text()
  (count,) = re.findall(r"dense<(.*)> : tensor<f32>", program)
  assert float(count) == pytest.approx(factor * 2.0**31, rel=1e-7)


@pytest.mark.parametrize("rows", [3, 2**14])
def test_a_mask_of_rows_of_2_to_the_18_cells(rows):
  mask = np.arange(rows)[:, None, None, None] % 3 < 2
  shape = (rows, 512, 512, 4)
  count = jax.jit(
    lambda mask: _count.counted(shape, mask, (0, 1, 2), jnp.float32)
  )(mask)
  np.testing.assert_allclose(count, mask.sum() * 2.0**18, rtol=1e-7)


def test_a_mask_of_too_many_cells_is_counted_in_parts(monkeypatch):
  monkeypatch.setattr(_count, "_MOST", 64)
  mask = np.random.default_rng(0).uniform(size=(37, 5, 2)) < 0.5
  count = _count.counted(mask.shape, jnp.asarray(mask), (0, 1), jnp.float32)
  np.testing.assert_array_equal(count, mask.sum((0, 1)))
  parts = jax.make_jaxpr(
    lambda mask: _count.counted(mask.shape, mask, (0, 1), jnp.float32)
  )(mask)
  assert str(parts).count("dtype=int32") + str(parts).count("i32") > 3


@pytest.mark.parametrize("mask_rows", [0, 1])
def test_no_rows_count_for_nothing(mask_rows):
  x, mask = np.zeros((0, 3), np.float32), np.ones((mask_rows, 1), bool)
  y, moments = batch_norm(x, mask=mask)
  assert y.shape == (0, 3)
  assert float(moments.count) == 0
  np.testing.assert_array_equal(moments.mean, 0)
  np.testing.assert_array_equal(moments.var, 0)
