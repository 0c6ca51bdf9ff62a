"""Optimizers by name do what the published code's equations say."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from bnjax.lab.train.optim import OPTIMIZERS

GRADIENTS = np.array([0.5, -2.0, 0.1, 3.0, -0.01])


def _run(name, **arguments):
  optimizer = OPTIMIZERS[name](**arguments)
  w = jnp.asarray(1.0)
  state = optimizer.init(w)
  for g in GRADIENTS:
    update, state = optimizer.update(jnp.asarray(g, jnp.float32), state, w)
    w = w + update
  return float(w)


def test_adam_as_the_2016_code_writes_it():
  w, m, v, lr = 1.0, 0.0, 0.0, 1e-2
  for t, g in enumerate(GRADIENTS, start=1):
    m = 0.9 * m + 0.1 * g
    v = 0.999 * v + 0.001 * g**2
    m_hat, v_hat = m / (1 - 0.9**t), v / (1 - 0.999**t)
    w -= lr * m_hat / (np.sqrt(v_hat) + 1e-8)
  ours = _run("adam", learning_rate=lr, b1=0.9, b2=0.999, eps=1e-8)
  np.testing.assert_allclose(ours, w, rtol=1e-5)


def test_rmsprop_as_the_2016_code_writes_it():
  w, cache, lr = 1.0, 0.0, 1e-3
  for g in GRADIENTS:
    cache = 0.9 * cache + 0.1 * g**2
    w -= lr * g / (np.sqrt(cache) + 1e-8)
  ours = _run(
    "rmsprop", learning_rate=lr, decay=0.9, eps=1e-8, eps_in_sqrt=False
  )
  np.testing.assert_allclose(ours, w, rtol=1e-5)


def test_momentum_as_the_2016_code_writes_it():
  w, velocity, lr = 1.0, 0.0, 1e-2
  for g in GRADIENTS:
    velocity = 0.9 * velocity + lr * g
    w -= velocity
  ours = _run("sgd", learning_rate=lr, momentum=0.9)
  np.testing.assert_allclose(ours, w, rtol=1e-5)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_entry_goes_downhill(name):
  optimizer = OPTIMIZERS[name](learning_rate=0.1)
  w = jnp.asarray(1.0)
  update, _ = optimizer.update(2 * w, optimizer.init(w), w)
  assert update < 0


@pytest.mark.parametrize("name", ["adamw", "lion"])
def test_weights_decay_and_norms_do_not(name):
  """With no gradient, decay is all there is: w <- (1 - rate * decay) w."""
  params = {
    "dense": {"kernel": jnp.ones((2, 2)), "bias": jnp.ones(2)},
    "norm": {"scale": jnp.ones(2), "bias": jnp.ones(2)},
  }
  zeros = jax.tree.map(jnp.zeros_like, params)
  for of, rest in (({}, 1.0), ({"weight_decay_of": "all"}, 0.95)):
    optimizer = OPTIMIZERS[name](0.1, weight_decay=0.5, **of)
    update, _ = optimizer.update(zeros, optimizer.init(params), params)
    new = jax.tree.map(lambda w, u: float((w + u).min()), params, update)
    assert new["dense"]["kernel"] == pytest.approx(0.95)
    assert [new["dense"]["bias"], *new["norm"].values()] == pytest.approx(
      [rest] * 3
    )


@pytest.mark.parametrize("name", ["rmsprop", "sgd"])
def test_no_momentum_keeps_no_state(name):
  params = {"w": jnp.zeros(7)}
  sizes = [
    sum(x.size for x in jax.tree.leaves(optimizer.init(params)))
    for optimizer in (
      OPTIMIZERS[name](0.1, momentum=0.0),
      OPTIMIZERS[name](0.1, momentum=0.9),
    )
  ]
  assert sizes[1] == sizes[0] + 7
