"""Statements of Ioffe and Szegedy (2015) that docs/mathematics.md repeats."""

import itertools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import references

from bnjax.ops import batch_norm


@pytest.fixture(autouse=True)
def _wide():
  with jax.enable_x64(True):
    yield


def batch(shape, seed=0):
  return np.random.default_rng(seed).normal(2.0, 3.0, shape)


def gradients(dy, x, scale, bias):
  """Of x, scale and bias by bnjax."""
  _, pullback = jax.vjp(lambda *args: batch_norm(*args)[0], x, scale, bias)
  return pullback(dy)


def test_six_equations_and_closed_form():
  x, dy = batch((9, 4)), batch((9, 4), seed=1)
  scale, bias = np.linspace(0.5, 2.0, 4), np.zeros(4)
  six = references.algorithm_1_backward(dy, x, scale)
  for ours, theirs in zip(gradients(dy, x, scale, bias), six, strict=True):
    np.testing.assert_allclose(ours, theirs, rtol=1e-10, atol=1e-12)
  std = np.sqrt(x.var(0) + 1e-5)
  x_hat = (x - x.mean(0)) / std
  closed = scale / std * (dy - dy.mean(0) - x_hat * (dy * x_hat).mean(0))
  np.testing.assert_allclose(closed, six[0], rtol=1e-10, atol=1e-12)


def test_convolutional_case_is_a_batch_of_all_positions():
  x, (scale, bias) = batch((4, 5, 6, 3)), references.affine(3)
  y, moments = batch_norm(x, scale, bias)
  assert moments.count == 4 * 5 * 6
  rows = references.algorithm_1(x.reshape(-1, 3), scale, bias)
  np.testing.assert_allclose(y, rows.reshape(x.shape), rtol=1e-10, atol=1e-12)


def test_scale_of_the_weights_does_not_matter():
  """Section 3.3: BN((aW)u) = BN(Wu), and so for its derivatives."""
  u, kernel, a = batch((32, 5)), batch((5, 3), seed=1), 10.0
  weight = batch((32, 3), seed=2)

  def loss(u, kernel):
    return jnp.sum(batch_norm(u @ kernel, epsilon=0.0)[0] * weight)

  value, (du, dkernel) = jax.value_and_grad(loss, (0, 1))(u, kernel)
  scaled, (du_a, dkernel_a) = jax.value_and_grad(loss, (0, 1))(u, a * kernel)
  np.testing.assert_allclose(scaled, value, rtol=1e-10)
  np.testing.assert_allclose(du_a, du, rtol=1e-9, atol=1e-12)
  np.testing.assert_allclose(dkernel_a, dkernel / a, rtol=1e-9, atol=1e-12)


def test_scale_and_bias_can_make_it_the_identity():
  x = batch((9, 4))
  y, _ = batch_norm(x, np.sqrt(x.var(0) + 1e-5), x.mean(0))
  np.testing.assert_allclose(y, x, rtol=1e-12)


def test_a_sigmoid_is_nearly_linear_where_inputs_are_normalized():
  x = np.linspace(-1, 1, 101)
  apart = np.abs(1 / (1 + np.exp(-x)) - (0.5 + x / 4))
  assert np.all(apart <= np.abs(x) ** 3 / 48 + 1e-15)
  assert 1 / 48 < 0.021
  points, weights = np.polynomial.hermite_e.hermegauss(80)
  weights = weights / weights.sum()  # of N(0, 1)
  explained = []
  for gamma in (1, 4):
    y = 1 / (1 + np.exp(-gamma * points)) - 0.5
    slope = np.sum(weights * points * y)
    explained.append(slope**2 / np.sum(weights * y**2))
  assert explained == pytest.approx([0.984, 0.838], abs=5e-4)


def test_gradient_of_a_minibatch_against_its_size():
  """Over all minibatches of 8 examples; with batch norm it is biased."""
  size, kernel = 8, batch((5, 3), seed=1)
  x, target = map(jnp.asarray, (batch((size, 5)), batch((size, 3), seed=2)))

  def gradient(rows, normed):
    def loss(kernel):
      h = x[rows] @ kernel
      h = batch_norm(h)[0] if normed else h
      return jnp.mean(jnp.sum((jnp.tanh(h) - target[rows]) ** 2, axis=1))

    return jax.grad(loss)(kernel)

  def over_all(m, normed):
    rows = np.array(list(itertools.combinations(range(size), m)))
    return jax.vmap(lambda rows: gradient(rows, normed))(rows)

  whole = gradient(np.arange(size), False)
  each = over_all(1, False)
  variance = jnp.mean(jnp.sum((each - whole[None]) ** 2, axis=(1, 2)))
  for m in (2, 4, 8):
    found = over_all(m, False)
    assert found.shape[0] == math.comb(size, m)
    np.testing.assert_allclose(found.mean(0), whole, rtol=1e-9, atol=1e-12)
    error = jnp.mean(jnp.sum((found - whole[None]) ** 2, axis=(1, 2)))
    expected = variance / m * (size - m) / (size - 1)
    np.testing.assert_allclose(error, expected, rtol=1e-9, atol=1e-20)
  normed = gradient(np.arange(size), True)
  biases = [
    jnp.linalg.norm(over_all(m, True).mean(0) - normed) for m in (2, 4, 7)
  ]
  assert biases[0] > biases[1] > biases[2] > 0.01 * jnp.linalg.norm(normed)
