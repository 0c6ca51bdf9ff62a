"""Symbolic sizes, checks for NaN, and what must be seen or must not spread."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import references
from jax import export
from jax.experimental import checkify

from bnjax import ops
from bnjax.ops import _statistics, running

ONES = np.ones(4, np.float32)


def loss(x):
  y, moments = ops.batch_norm(x, activation="relu")
  return jnp.sin(y).sum() + moments.var.sum()


SYMBOLIC = {
  "batch_norm": ops.batch_norm,
  "its gradient": jax.grad(loss),
  "batch_moments": ops.batch_moments,
  "batch_renorm": lambda x: ops.batch_renorm(
    x, None, None, ops.init_running(4), rule=ops.cumulative()
  ),
  "weights": lambda x: ops.batch_moments(x, weights=jnp.abs(x)),
  "mask": lambda x: ops.batch_norm(x, mask=x > 0),
  "layer_norm": ops.layer_norm,
  "layer_norm of all": lambda x: ops.layer_norm(x, reduction_axes=(1, 2, 3)),
  "group_norm": lambda x: ops.group_norm(x, groups=2),
  "instance_norm": ops.instance_norm,
  "rms_norm": ops.rms_norm,
  "l1_batch_norm": ops.l1_batch_norm,
  "evonorm_b0": lambda x: ops.evonorm_b0(x, ONES),
  "evonorm_s0": lambda x: ops.evonorm_s0(x, ONES, groups=2),
  "filter_response_norm": lambda x: ops.filter_response_norm(x, mask=x > 0),
  "whiten": lambda x: ops.whiten(x, groups=2),
}


@pytest.mark.parametrize("name", SYMBOLIC)
def test_symbolic_batch_height_and_width(name):
  shape = export.symbolic_shape("b, h, w, 4")
  exported = export.export(jax.jit(SYMBOLIC[name]))(
    jax.ShapeDtypeStruct(shape, jnp.float32)
  )
  x = references.batch((3, 9, 7, 4), 3.0, 2.0)
  actual, expected = exported.call(x), SYMBOLIC[name](x)
  jax.tree.map(
    lambda a, e: np.testing.assert_allclose(a, e, rtol=1e-4, atol=1e-5),
    actual,
    expected,
  )


@pytest.mark.parametrize("rows", [1, 3, 700])
def test_symbolic_rows_are_sampled_by_the_same_bound(rows):
  exported = export.export(jax.jit(ops.batch_moments))(
    jax.ShapeDtypeStruct(export.symbolic_shape("b, 4"), jnp.float32)
  )
  x = references.batch((rows, 4))
  x[::16] += 1e3
  var = x.astype(np.float64).var(0)
  np.testing.assert_allclose(exported.call(x).var, var, rtol=1e-5)


ROWS = np.arange(8) < 5
PIXELS = np.array([True, True, True, False])
CHECKED = {
  "batch_norm": lambda x, m: ops.batch_norm(x, ONES, ONES, mask=m)[0],
  "relu": lambda x, m: ops.batch_norm(x, mask=m, activation="relu")[0],
  "nothing": lambda x, m: ops.batch_norm(x, ONES, mask=m & False, epsilon=0.0)[
    0
  ],
  "batch_moments": lambda x, m: ops.batch_moments(x, mask=m).var,
  "weights": lambda x, m: (
    ops.batch_moments(x, weights=m.astype(np.float32)).var
  ),
  "batch_renorm": lambda x, m: ops.batch_renorm(
    x, ONES, ONES, ops.init_running(4), rule=ops.ema(0.9), mask=m
  )[0],
  "layer_norm": lambda x, m: ops.layer_norm(x, mask=m),
  "rms_norm": lambda x, m: ops.rms_norm(x, mask=m, epsilon=0.0),
  "l1_batch_norm": lambda x, m: ops.l1_batch_norm(x, mask=m)[0],
  "evonorm_b0": lambda x, m: ops.evonorm_b0(x, ONES, mask=m)[0],
  "whiten": lambda x, m: ops.whiten(x, groups=2, mask=m)[0],
}


@pytest.mark.parametrize("name", CHECKED)
def test_masked_nan_is_never_computed_with(name):
  mask = ROWS[:, None]
  x = np.where(mask, references.batch((8, 4), 3.0), np.float32(np.nan))
  checked = checkify.checkify(
    jax.jit(jax.grad(lambda x: jnp.sin(CHECKED[name](x, mask)).sum())),
    errors=checkify.float_checks,
  )
  checkify_error, dx = checked(x)
  checkify_error.throw()
  assert np.isfinite(dx).all()


def test_debug_nans_accepts_masked_nan():
  mask = ROWS[:, None]
  x = jnp.where(mask, references.batch((8, 4), 3.0), jnp.nan)
  with jax.debug_nans(True):
    y, pullback = jax.vjp(lambda x: ops.batch_norm(x, mask=mask)[0], x)
    (dx,) = pullback(jnp.where(mask, y, 1.0))
  assert np.isfinite(dx).all()


VISIBLE = {
  "batch_norm": lambda x: ops.batch_norm(x)[0],
  "layer_norm": lambda x: ops.layer_norm(x, reduction_axes=0),
  "rms_norm": lambda x: ops.rms_norm(x, reduction_axes=0),
  "l1_batch_norm": lambda x: ops.l1_batch_norm(x)[0],
  "evonorm_b0": lambda x: ops.evonorm_b0(x, ONES[:2])[0],
  "batch_renorm": lambda x: ops.batch_renorm(
    x, None, None, ops.init_running(2), rule=ops.ema(0.9)
  )[0],
}


@pytest.mark.parametrize("name", VISIBLE)
@pytest.mark.parametrize("jit", [False, True])
def test_overflowing_squares_are_seen(name, jit):
  x = np.array([[1e30, 1], [-1e30, 5]], np.float32)
  norm = jax.jit(VISIBLE[name]) if jit else VISIBLE[name]
  y = norm(x)
  assert np.isnan(y[:, 0]).all()
  assert np.isfinite(y[:, 1]).all()
  assert not np.isfinite(ops.batch_moments(x).var[0])


@pytest.mark.parametrize("dtype", [jnp.float16, jnp.bfloat16, jnp.float32])
@pytest.mark.parametrize("epsilon", [0.0, 1e-5])
@pytest.mark.parametrize("counted", [0, 1])
def test_one_value_or_none_has_gradients_of_zero(dtype, epsilon, counted):
  x = jnp.asarray([[3.0], [7.0]], dtype)
  mask = np.arange(2)[:, None] < counted
  one = jnp.ones(1, dtype)
  y, pullback = jax.vjp(
    lambda x, s: ops.batch_norm(x, s, one, mask=mask, epsilon=epsilon)[0],
    x,
    one,
  )
  np.testing.assert_array_equal(np.float32(y), np.float32(mask))
  for gradient in pullback(jnp.full_like(y, 300)):
    np.testing.assert_array_equal(np.float32(gradient), 0)


@pytest.mark.parametrize("dtype", [jnp.float16, jnp.bfloat16])
def test_the_gradient_is_rounded_once(dtype):
  x, dy = (
    jnp.asarray(references.batch((64, 8), 3.0, seed=seed), dtype)
    for seed in (0, 1)
  )

  def gradient(x, dy):
    return jax.vjp(lambda x: ops.batch_norm(x)[0], x)[1](dy)[0]

  wide = gradient(x.astype(jnp.float32), dy.astype(jnp.float32))
  ours = gradient(x, dy)
  rounded = wide.astype(dtype).astype(jnp.float32)
  limit = 1.01 * references.error(rounded, wide)
  assert references.error(ours.astype(jnp.float32), wide) <= limit


def test_nan_stays_in_its_group():
  x = references.batch((4, 6, 3), 3.0)
  x[0, 0, 0] = np.nan
  groups = [[0, 1], [2, 3]]
  step = jax.vmap(
    lambda x: ops.batch_norm(x, axis_name="d", axis_index_groups=groups)[0],
    axis_name="d",
  )
  y, pullback = jax.vjp(step, x)
  for array in (y, *pullback(jnp.cos(x))):
    bad = np.isnan(array).any((1, 2))
    np.testing.assert_array_equal(bad, [True, True, False, False])


@pytest.mark.parametrize("what", ["moments", "transform", "update_running"])
def test_layers_of_one_shape_are_traced_once(monkeypatch, what):
  calls = []

  def count(module, name):
    whole = getattr(module, name)
    monkeypatch.setattr(
      module, name, lambda *args: calls.append(name) or whole(*args)
    )

  count(_statistics, "collect")
  count(_statistics, "spread")
  count(running, "_new_mean")

  def layer(x):
    if what == "moments":
      return x - ops.batch_moments(x).mean[None]
    y, batch = ops.batch_norm(x)
    if what == "transform":
      return y
    start = ops.init_running(4)
    return y + ops.update_running(start, batch, ops.ema(0.9)).mean[None]

  def traced(layers):
    def network(x):
      for _ in range(layers):
        x = jnp.sin(layer(x))
      return x.sum()

    calls.clear()
    jax.clear_caches()
    jax.make_jaxpr(jax.grad(network))(jnp.ones((8, 4)))
    return len(calls)

  assert traced(1) == traced(5) > 0
