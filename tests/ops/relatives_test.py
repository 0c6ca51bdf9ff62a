"""What holds for every relative of batch norm: dtypes, holes, derivatives."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import references
from references import error

from bnjax import ops

X = references.batch((8, 3, 4), 1.0, 2.0)
SCALE, BIAS = references.affine(4)
V = np.array([1.0, 0.5, -1.0, 2.0], np.float32)
RUNNING = ops.Running(
  np.full(4, 0.5, "f"), np.full(4, 3.0, "f"), np.ones(4, "f")
)
RULE = ops.ema(0.9)


def renorm(x, scale, bias, **options):
  return ops.batch_renorm(x, scale, bias, RUNNING, rule=RULE, **options)[0]


# y of x, scale and bias; those of each example alone; those without a mask.
OF_BATCH = {
  "batch_renorm": renorm,
  "evonorm_b0": lambda x, s, b, **o: ops.evonorm_b0(x, V, s, b, **o)[0],
  "ghost": lambda x, *a, **o: ops.ghost_batch_norm(x, *a, groups=2, **o)[0],
  "iter_norm": lambda *a, **o: ops.iter_norm(*a, **o)[0],
  "centred l1": lambda *a, **o: ops.l1_batch_norm(*a, **o)[0],
  **{
    f"l{p}": lambda *a, p=p, **o: ops.lp_batch_norm(*a, p=p, **o)[0]
    for p in (1, 2, np.inf)
  },
  "noisy": lambda *a, **o: ops.noisy_batch_norm(
    *a, key=jax.random.key(0), jitter=0.0, **o
  )[0],
  "whiten": lambda *a, **o: ops.whiten(*a, groups=2, **o)[0],
}
OF_EXAMPLE = {
  "evonorm_s0": lambda x, s, b, **o: ops.evonorm_s0(x, V, s, b, groups=2, **o),
  "filter_response": lambda *a, **o: ops.filter_response_norm(*a, -V, **o),
  "group": lambda *a, **o: ops.group_norm(*a, groups=2, **o),
  "instance": ops.instance_norm,
  "layer": ops.layer_norm,
  "rms": lambda x, s, b, **o: ops.rms_norm(x, s, **o),
}
ALL = {**OF_BATCH, **OF_EXAMPLE}
every = pytest.mark.parametrize("norm", ALL.values(), ids=ALL)


@pytest.fixture(autouse=True)
def _strict():
  with jax.numpy_dtype_promotion("strict"):
    yield


@every
@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float16])
def test_half_is_computed_in_float32(norm, dtype):
  x = jnp.asarray(X, dtype)
  scale, bias = (jnp.asarray(a, dtype) for a in (SCALE, BIAS))
  run = jax.jit(norm)
  y = run(x, scale, bias)
  assert y.dtype == dtype
  wide = run(*(a.astype(jnp.float32) for a in (x, scale, bias)))
  assert error(y, wide) < jnp.finfo(dtype).eps


@every
def test_float64_stays(norm):
  with jax.enable_x64(True):
    run = jax.jit(norm)
    y = run(*(jnp.asarray(a, jnp.float64) for a in (X, SCALE, BIAS)))
    assert y.dtype == jnp.float64
    assert error(run(X, SCALE, BIAS), y) < 3e-6


@every
def test_derivatives_of_first_and_second_order(norm):
  # Differences see r and d, through which no gradient flows: hold them.
  fixed = {"r_max": 1.0, "d_max": 0.0} if norm is renorm else {}

  def slopes(args, step):
    loss = lambda args: jnp.sum(weights * norm(*args, **fixed))
    grad = lambda args: jax.grad(loss)(args)
    apart = lambda f: jax.tree.map(
      lambda a, b: (a - b) / 2e-5, f(move(args, step)), f(move(args, -step))
    )
    slope = jax.jvp(loss, (args,), (direction,))[1]
    return (
      (slope, *jax.jvp(grad, (args,), (direction,))),
      apart(loss),
      apart(grad),
    )

  def move(args, step):
    return jax.tree.map(lambda a, d: a + step * d, args, direction)

  with jax.enable_x64(True):
    wide = lambda a: jnp.asarray(a, jnp.float64)
    args = tuple(map(wide, (X, SCALE, BIAS)))
    weights = wide(references.batch(X.shape, seed=5))
    direction = tuple(wide(references.batch(a.shape, seed=6)) for a in args)
    (slope, grad, hessian), first, second = jax.jit(slopes)(args, 1e-5)
    total = sum(jnp.vdot(g, d) for g, d in zip(grad, direction, strict=True))
    np.testing.assert_allclose(slope, first, rtol=1e-6)
    np.testing.assert_allclose(total, first, rtol=1e-6)
    for one, other in zip(hessian, second, strict=True):
      np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)


@partial(jax.jit, static_argnums=0)  # a program, not one for each operation
def _with_gradients(norm, x, dy, mask=None):
  y, pullback = jax.vjp(lambda *a: norm(*a, mask=mask), x, SCALE, BIAS)
  return y, *pullback(dy)


@every
def test_masked_cells_may_hold_anything(norm):
  rows = np.arange(8) < 6
  mask = rows[:, None, None]
  holed = np.where(mask, X, np.float32(np.nan))

  dy = np.where(mask, references.batch(X.shape, seed=6), np.float32(np.nan))

  ours = _with_gradients(norm, holed, dy, mask)
  assert not np.any(ours[0][6:])
  assert not np.any(ours[1][6:])
  if norm is ALL["ghost"]:  # Other rows would make other groups.
    assert all(np.isfinite(a).all() for a in ours)
    return
  kept = _with_gradients(norm, X[:6], dy[:6])
  for one, other in zip(ours, kept, strict=True):
    one = one[:6] if one.ndim == 3 else one
    np.testing.assert_allclose(one, other, rtol=2e-4, atol=2e-5)


@every
def test_nothing_counted_gives_zeros(norm):
  mask = np.zeros((8, 1, 1), bool)
  x = np.full_like(X, np.nan)
  for array in _with_gradients(norm, x, X, mask):
    np.testing.assert_array_equal(array, 0)


@pytest.mark.parametrize("norm", OF_BATCH.values(), ids=OF_BATCH)
def test_shards_are_one_batch(norm):
  parts = X.reshape(4, 2, 3, 4)
  rows = np.array([1, 1, 1, 0, 1, 1, 0, 0], bool)[:, None, None]
  shards = jax.vmap(
    lambda x, mask: _value_and_grad(norm, x, mask, axis_name="i"),
    axis_name="i",
  )
  y, dx = jax.jit(shards)(parts, rows.reshape(4, 2, 1, 1))
  one = jax.jit(lambda x, mask: _value_and_grad(norm, x, mask))
  whole, dwhole = one(X, rows)
  np.testing.assert_allclose(y.reshape(X.shape), whole, rtol=1e-4, atol=2e-5)
  np.testing.assert_allclose(dx.reshape(X.shape), dwhole, rtol=1e-3, atol=2e-4)


def _value_and_grad(norm, x, mask, **options):
  y, pullback = jax.vjp(lambda x: norm(x, SCALE, BIAS, mask=mask, **options), x)
  return y, pullback(jnp.cos(x))[0]


@pytest.mark.parametrize("norm", OF_EXAMPLE.values(), ids=OF_EXAMPLE)
def test_examples_do_not_see_each_other(norm):
  run = jax.jit(norm)
  alone = np.concatenate([run(x[None], SCALE, BIAS) for x in X])
  np.testing.assert_allclose(run(X, SCALE, BIAS), alone, rtol=1e-5, atol=1e-6)


@every
def test_integers_and_complex_numbers_are_refused(norm):
  for dtype in (np.int32, np.complex64):
    with pytest.raises(TypeError, match="real floating"):
      norm(X.astype(dtype), SCALE, BIAS)
