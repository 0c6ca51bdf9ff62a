"""Every mode and order of differentiation, and what the backward pass keeps."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import references
from jax import lax
from references import error

from bnjax.ops import batch_moments, batch_norm

ROWS, FEATURES = 8, 3
ARGS = (0, 1, 2)


@pytest.fixture(autouse=True)
def _strict():
  with jax.numpy_dtype_promotion("strict"):
    yield


def plain(x, scale, bias):
  """The formula, for JAX to differentiate in float64."""
  apart = x - x.mean(0, keepdims=True)
  inv = lax.rsqrt(jnp.square(apart).mean(0, keepdims=True) + 1e-5)
  return apart * inv * scale[None] + bias[None]


def relu(x, scale, bias):
  return jnp.maximum(plain(x, scale, bias), 0)


def ours(x, scale, bias):
  return batch_norm(x, scale, bias)[0]


def ours_relu(x, scale, bias):
  return batch_norm(x, scale, bias, activation="relu")[0]


def ours_masked(x, scale, bias):
  mask = jnp.ones((ROWS, 1), bool)
  return batch_norm(x, scale, bias, mask=mask)[0]


def loss(norm):
  """A loss that is linear in nothing."""

  def evaluate(x, scale, bias):
    weight = jnp.arange(x.size, dtype=x.dtype).reshape(x.shape) / x.size
    return jnp.sum(jnp.sin(norm(x, scale, bias)) * weight)

  return evaluate


def tangents(args):
  return tuple(np.cos(np.arange(a.size, dtype=a.dtype)).reshape(a.shape) + 1
               for a in args)  # fmt: skip


MODES = {
  "grad": lambda f: jax.grad(f, ARGS),
  "jvp": lambda f: lambda *args: jax.jvp(f, args, tangents(args))[1],
  "linearize": lambda f: (
    lambda *args: jax.linearize(f, *args)[1](*tangents(args))
  ),
  "jacfwd": lambda f: jax.jacfwd(f, ARGS),
  "hessian": lambda f: jax.hessian(f, ARGS),
  "reverse over reverse": lambda f: jax.jacrev(jax.grad(f, ARGS), ARGS),
  "forward over reverse": lambda f: (
    lambda *args: jax.jvp(jax.grad(f, ARGS), args, tangents(args))[1]
  ),
  "third order": lambda f: (
    lambda *args: jax.jvp(jax.hessian(f), args, tangents(args))[1]
  ),
}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
  ("norm", "formula"),
  [(ours, plain), (ours_relu, relu), (ours_masked, plain)],
)
def test_every_mode_equals_float64_autodiff(mode, norm, formula):
  args = references.batch((ROWS, FEATURES), 3.0, 2.0), *references.affine(3)
  actual = jax.jit(MODES[mode](loss(norm)))(*args)
  with jax.enable_x64(True):
    wide = jax.tree.map(lambda a: a.astype(np.float64), args)
    expected = jax.jit(MODES[mode](loss(formula)))(*wide)
  jax.tree.map(lambda a, e: np.testing.assert_array_less(error(a, e), 3e-6),
               actual, expected)  # fmt: skip


def test_per_example_gradients_by_vmap():
  x, (scale, bias) = references.batch((3, ROWS, 3), 3.0), references.affine(3)
  gradient = jax.jit(jax.grad(loss(ours), ARGS))
  each = jax.vmap(gradient, (0, None, None))(x, scale, bias)
  for i in range(3):
    for one, other in zip(each, gradient(x[i], scale, bias), strict=True):
      np.testing.assert_allclose(one[i], other, rtol=1e-4, atol=1e-6)


def residuals(function, *args):
  """Returns the shapes of the arrays that a backward pass keeps."""
  _, pullback = jax.vjp(function, *args)
  return sorted((leaf.shape for leaf in jax.tree.leaves(pullback)), key=np.prod)


@pytest.mark.parametrize("norm", [ours, ours_relu, batch_moments])
def test_backward_keeps_x_and_vectors(norm):
  x, affine = references.batch((64, 3)), references.affine(3)
  args = (x,) if norm is batch_moments else (x, *affine)
  *vectors, largest = residuals(norm, *args)
  assert largest == x.shape
  assert set(vectors) <= {(), (3,)}
  # The formula itself, differentiated by JAX, keeps more: this test can fail.
  assert residuals(plain, x, *affine).count(x.shape) > 1


def test_backward_keeps_bfloat16_as_it_is():
  x = jnp.asarray(references.batch((64, 3)), jnp.bfloat16)
  _, pullback = jax.vjp(ours, x, *references.affine(3))
  sizes = [leaf.nbytes for leaf in jax.tree.leaves(pullback)]
  assert sum(sizes) < x.nbytes + 10 * 3 * 4
