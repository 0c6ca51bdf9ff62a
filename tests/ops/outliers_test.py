"""Outliers wherever they are: at the sample's cells, in the middle, at borders.

Whatever the data, the sample's mean is at most sqrt(15) deviations from the
mean of all, and the variance is right to a few times 16 roundings.
"""

import os

import hypothesis.strategies as st
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import references
from hypothesis import given, settings
from jax.sharding import AxisType, NamedSharding, PartitionSpec as P
from references import error

from bnjax import ops
from bnjax.ops._sample import sample

# Compiled for tests, XLA's sums on CPU round twice as much as for users.
LIMIT = 4e-6 if os.environ.get("BNJAX_TESTS_OPTIMIZED") else 8e-6
LAYOUTS = {
  (512, 3): (0,),
  (3, 512): (1,),
  (1, 64, 64, 2): (0, 1, 2),
  (4, 2, 32, 24): (0, 2, 3),
  (40, 7, 7, 2): (0, 1, 2),
  (33, 5): (0,),
  (7, 5, 3): (0, 1),
}
SHAPES = pytest.mark.parametrize("shape", LAYOUTS, ids=str)


def seen(shape: tuple[int, ...], axes: tuple[int, ...]) -> np.ndarray:
  """Returns True at the cells that the sample looks at."""
  cells = jnp.arange(np.prod(shape)).reshape(shape)
  there = np.zeros(shape, bool)
  there.flat[np.ravel(sample(cells, axes)[0])] = True
  return there


def features_of(shape: tuple[int, ...]) -> tuple[int, ...]:
  return tuple(set(range(len(shape))) - set(LAYOUTS[shape]))


def _inside(n: int) -> np.ndarray:
  return (np.arange(n) > 0) & (np.arange(n) < n - 1)


def _at(shape, axes, chosen) -> np.ndarray:
  """Returns the cells whose index along each of the axes is chosen."""
  there = np.ones(shape, bool)
  for axis in axes:
    one = chosen(shape[axis])
    there &= np.expand_dims(one, [a for a in range(len(shape)) if a != axis])
  return there


PLACES = {
  "sample": seen,
  "elsewhere": lambda shape, axes: ~seen(shape, axes),
  "middle": lambda shape, axes: _at(
    shape, axes, lambda n: np.arange(n) == n // 2
  ),
  "border": lambda shape, axes: ~_at(shape, axes, _inside),
  "padding": lambda shape, axes: _at(
    shape, axes[-1:], lambda n: np.arange(n) > n // 3
  ),
  "first": lambda shape, axes: _at(shape, axes, lambda n: np.arange(n) == 0),
}


def assert_exact(x, axes: tuple[int, ...], features: tuple[int, ...]):
  """Checks moments and output against float64."""
  wide = np.asarray(x, np.float64)
  mean, var = wide.mean(axes, keepdims=True), wide.var(axes, keepdims=True)
  y, moments = ops.batch_norm(x, feature_axes=features, epsilon=1e-30)
  np.testing.assert_allclose(moments.var, var.squeeze(axes), rtol=1e-5)
  off = np.abs(np.float64(moments.mean) - mean.squeeze(axes))
  size = np.abs(mean) + np.sqrt(var)
  assert np.all(off <= 1e-6 * size.squeeze(axes))
  if x.dtype == np.float32:
    assert error(y, (wide - mean) / np.sqrt(var)) < LIMIT


@pytest.mark.parametrize("value", [30.0, -1e3])
@pytest.mark.parametrize("place", PLACES)
@SHAPES
def test_outliers_anywhere(shape, place, value):
  axes = LAYOUTS[shape]
  x = references.batch(shape)
  x[PLACES[place](shape, axes)] += np.float32(value)
  assert_exact(x, axes, features_of(shape))


@pytest.mark.parametrize("place", ["sample", "middle"])
def test_outliers_in_bfloat16(place):
  shape = (1, 64, 64, 2)
  x = references.batch(shape)
  x[PLACES[place](shape, (0, 1, 2))] = 512.0
  assert_exact(jnp.asarray(x, jnp.bfloat16), (0, 1, 2), (3,))


@given(st.data())
@settings(deadline=None, max_examples=10)
def test_any_subset_of_the_sample_and_of_the_rest(data):
  shape = data.draw(st.sampled_from(list(LAYOUTS)))
  axes, rng = (
    LAYOUTS[shape],
    np.random.default_rng(data.draw(st.integers(0, 9))),
  )
  there = seen(shape, axes)
  share = st.sampled_from([0.0, 0.01, 0.5, 0.99, 1.0])
  chance = np.where(there, data.draw(share), data.draw(share))
  value = data.draw(st.sampled_from([3.0, -1e2, 1e3]))
  x = references.batch(shape, data.draw(st.sampled_from([0.0, 50.0])))
  x[rng.uniform(size=shape) < chance] += np.float32(value)
  assert_exact(x, axes, features_of(shape))


@given(
  st.lists(st.integers(1, 70), min_size=1, max_size=4),
  st.data(),
)
@settings(deadline=None, max_examples=25)
def test_the_sample_is_a_sixteenth_and_32_cells_or_all(shape, data):
  axes = tuple(
    sorted(data.draw(st.sets(st.integers(0, len(shape) - 1), min_size=1)))
  )
  cells, its_axes = sample(jnp.zeros(shape), axes)
  here = int(np.prod([cells.shape[axis] for axis in its_axes]))
  n = int(np.prod([shape[axis] for axis in axes]))
  assert here >= max(n / 16, min(n, 32))
  # A step leaves at most one row too many along each axis.
  assert here <= max(3 * 2 ** len(axes) * n / 16, 64)


def test_one_hot_pixel_in_the_middle():
  x = references.batch((1, 256, 256, 1))
  x[:, 128, 128] = 1e5
  assert_exact(x, (0, 1, 2), (3,))
  x = references.batch((4, 512, 512, 1))
  x[:, 256, 256] = 1e3
  assert_exact(x, (0, 1, 2), (3,))


@pytest.mark.parametrize("rows", [8, 96, 1000])
@pytest.mark.parametrize("spec", [P("d"), P(None, "d"), P(("d", "e")),
                                  P("e", "d"), P(None, None, "d")])  # fmt: skip
def test_the_sample_of_a_sharded_batch(rows, spec):
  mesh = jax.make_mesh((4, 2), ("d", "e"), axis_types=(AxisType.Explicit,) * 2)
  x = references.batch((rows, 16, 4), 3.0)
  x[::16] = 1e4
  sharded = jax.device_put(x, NamedSharding(mesh, spec))
  cells, axes = sample(sharded, (0, 1))
  here = int(np.prod([cells.shape[axis] for axis in axes]))
  assert 16 * rows / 16 <= here
  var = x.astype(np.float64).var((0, 1))
  s = np.asarray(cells, np.float64).mean(axes)
  assert np.all(np.square(s - x.mean((0, 1), np.float64)) <= 15.001 * var)
  np.testing.assert_allclose(ops.batch_moments(sharded).var, var, rtol=1e-5)


def outliers(shape: tuple[int, ...], axes: tuple[int, ...]) -> np.ndarray:
  x = references.batch(shape)
  x[seen(shape, axes)] += 1e3
  return x


RELATIVES = {
  "layer_norm": (lambda x: ops.layer_norm(x, epsilon=0.0), (3, 512), (1,)),
  "instance_norm": (
    lambda x: ops.instance_norm(x, epsilon=0.0), (2, 32, 32, 3), (1, 2),
  ),
  "group_norm": (
    lambda x: ops.group_norm(x, groups=1, epsilon=0.0), (2, 16, 16, 2),
    (1, 2, 3),
  ),
  "whiten": (lambda x: ops.whiten(x, groups=3, epsilon=0.0)[0], (512, 3), (0,)),
  "standardize_kernel": (
    lambda x: ops.standardize_kernel(x, epsilon=0.0), (3, 3, 64, 4), (0, 1, 2),
  ),
  "batch_renorm": (
    lambda x: ops.batch_renorm(
      x, None, None, ops.init_running(3), rule=ops.ema(0.9), r_max=1.0,
      d_max=0.0, epsilon=0.0,
    )[0], (512, 3), (0,),
  ),
}  # fmt: skip


@pytest.mark.parametrize("name", RELATIVES)
def test_relatives_of_batch_norm(name):
  norm, shape, axes = RELATIVES[name]
  x = outliers(shape, axes)
  wide = x.astype(np.float64)
  apart = wide - wide.mean(axes, keepdims=True)
  expected = apart / wide.std(axes, keepdims=True)
  assert error(norm(x), expected) < LIMIT


def test_l1_and_evonorm():
  x = outliers((512, 3), (0,))
  wide = x.astype(np.float64)
  apart = wide - wide.mean(0)
  deviation = np.sqrt(np.pi / 2) * np.abs(apart).mean(0)
  y, _ = ops.l1_batch_norm(x, epsilon=0.0)
  assert error(y, apart / deviation) < LIMIT
  y, _ = ops.evonorm_b0(x, np.zeros(3, np.float32), epsilon=0.0)
  assert error(y, wide / wide.std(0)) < LIMIT


def test_members_of_one_batch_may_be_apart():
  x = references.batch((4, 64, 2))
  x[1], x[2, ::2], x[3] = 1e4, -3e3, 7.0
  pool = lambda x: ops.batch_moments(x, axis_name="d").var
  var = jax.vmap(pool, axis_name="d")(x)[0]
  expected = x.reshape(-1, 2).astype(np.float64).var(0)
  np.testing.assert_allclose(var, expected, rtol=1e-5)
