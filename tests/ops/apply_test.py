"""The three switches of batch norm with running statistics."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from bnjax import ops

RNG = np.random.default_rng(0)
X = jnp.asarray(RNG.normal(2, 3, size=(6, 4)), jnp.float32)
SCALE, BIAS = jnp.arange(1.0, 5), jnp.arange(4.0)
RUNNING = ops.Running(jnp.full(4, 0.5), jnp.full(4, 4.0), jnp.full(4, 0.1))
RULE = ops.ema(0.9)


def apply(x=X, scale=SCALE, bias=BIAS, **switches):
  return ops.apply_batch_norm(x, scale, bias, RUNNING, rule=RULE, **switches)


@pytest.mark.parametrize("update", [False, True])
@pytest.mark.parametrize("source", ["batch", "running"])
def test_source_and_update_are_independent(source, update):
  y, running = apply(normalize_with=source, update=update)
  mean, var = (X.mean(0), X.var(0)) if source == "batch" else RUNNING[:2]
  want = (X - mean[None]) / np.sqrt(var + 1e-5)[None] * SCALE[None] + BIAS[None]
  np.testing.assert_allclose(y, want, rtol=1e-5, atol=1e-5)
  want = ops.update_running(RUNNING, ops.batch_moments(X), RULE)
  jax.tree.map(
    np.testing.assert_array_equal, running, want if update else RUNNING
  )


@pytest.mark.parametrize("train_affine", [False, True])
@pytest.mark.parametrize("source", ["batch", "running"])
def test_affine_is_trained_or_not(source, train_affine):
  def loss(x, scale, bias):
    y, running = apply(
      x, scale, bias, normalize_with=source, train_affine=train_affine
    )
    return jnp.sum(y**3) + sum(jnp.sum(value) for value in running)

  dx, dscale, dbias = jax.grad(loss, (0, 1, 2))(X, SCALE, BIAS)
  assert np.abs(dx).max() > 0
  assert bool(jnp.any(dscale != 0)) is train_affine
  assert bool(jnp.any(dbias != 0)) is train_affine


def test_no_gradient_flows_through_the_statistics():
  def loss(x):
    return sum(jnp.sum(value) for value in apply(x)[1])

  np.testing.assert_array_equal(jax.grad(loss)(X), 0)


@pytest.mark.parametrize("source", ["batch", "running"])
def test_relu_and_no_affine(source):
  y, _ = apply(scale=None, bias=None, normalize_with=source, activation="relu")
  plain, _ = apply(scale=None, bias=None, normalize_with=source)
  assert plain.min() < 0
  np.testing.assert_allclose(y, np.maximum(plain, 0), rtol=5e-7)


def test_all_masked_batch_under_jit():
  mask = jnp.zeros((6, 1), bool)
  for source in ("batch", "running"):
    y, running = jax.jit(
      lambda x, s=source: apply(x, mask=mask, normalize_with=s)
    )(X)
    assert np.isfinite(y).all()
    jax.tree.map(np.testing.assert_array_equal, running, RUNNING)


def test_updates_once_under_remat():
  def layer(running, x):
    y, running = ops.apply_batch_norm(x, SCALE, BIAS, running, rule=RULE)
    return jnp.sum(jnp.tanh(y)), running

  grad = jax.grad(jax.checkpoint(layer), argnums=1, has_aux=True)
  _, running = grad(RUNNING, X)
  np.testing.assert_allclose(running.mean, 0.45 + 0.1 * X.mean(0), rtol=1e-6)


def test_errors():
  with pytest.raises(ValueError, match="normalize_with"):
    apply(normalize_with="train")
