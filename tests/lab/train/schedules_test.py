"""Schedules against closed forms and optax, and with traced rates."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from bnjax import ops
from bnjax.lab.errors import UserError
from bnjax.lab.train.schedules import SCHEDULES

STEPS = jnp.arange(0, 60, 7)


def _values(schedule, rate=0.2):
  return np.array([schedule(rate)(step) for step in STEPS])


def test_constant_is_the_rate_itself():
  assert SCHEDULES["constant"]()(0.2) == 0.2


def test_exponential():
  ours = _values(SCHEDULES["exponential"](rate=0.5, decay_steps=10))
  np.testing.assert_allclose(ours, 0.2 * 0.5 ** (STEPS / 10), rtol=1e-6)
  theirs = optax.exponential_decay(0.2, 10, 0.5)
  np.testing.assert_allclose(ours, theirs(STEPS), rtol=1e-6)


def test_six_times_the_speed_is_a_sixth_of_the_steps():
  fast = _values(SCHEDULES["exponential"](rate=0.5, decay_steps=60, speed=6.0))
  short = _values(SCHEDULES["exponential"](rate=0.5, decay_steps=10))
  np.testing.assert_allclose(fast, short, rtol=1e-6)


def test_cosine():
  ours = _values(SCHEDULES["cosine"](steps=40, final=0.1))
  theirs = optax.cosine_decay_schedule(0.2, 40, alpha=0.1)
  np.testing.assert_allclose(ours, theirs(STEPS), rtol=1e-6)
  assert ours[0] == pytest.approx(0.2)
  assert ours[-1] == pytest.approx(0.02)


def test_piecewise():
  schedule = SCHEDULES["piecewise"](boundaries=(7, 20), factor=0.1)
  np.testing.assert_allclose(
    _values(schedule, 1.0)[:5], [1, 0.1, 0.1, 0.01, 0.01], rtol=1e-6
  )
  assert SCHEDULES["piecewise"]()(1.0)(5) == 1.0


@pytest.mark.parametrize("name", SCHEDULES)
def test_rates_may_be_traced(name):
  """One program for many learning rates."""

  steps = {"steps": 3} if name == "cosine" else {}

  def train(rate):
    optimizer = optax.sgd(SCHEDULES[name](**steps)(rate))
    w = jnp.float32(1.0)
    state = optimizer.init(w)
    for _ in range(3):
      update, state = optimizer.update(jnp.float32(1.0), state)
      w = w + update
    return w

  rates = jnp.array([0.01, 0.1])
  many = jax.jit(jax.vmap(train))(rates)
  np.testing.assert_allclose(many, [train(0.01), train(0.1)], rtol=1e-6)


@pytest.mark.parametrize(
  ("name", "arguments", "message"),
  [
    ("piecewise", {"boundaries": (3, 3)}, r"schedule\.boundaries: \(3, 3\)"),
  ],
)
def test_what_is_wrong_is_named(name, arguments, message):
  with pytest.raises(UserError, match=message):
    SCHEDULES[name](**arguments)


RNG = np.random.default_rng(0)
INPUTS, LABELS = RNG.normal(size=(40, 6)), RNG.integers(0, 3, 40)
LAST = RNG.normal(size=(8, 3))  # is not trained, so that all else has a norm
WEIGHTS = {
  "first": RNG.normal(size=(6, 8)) / 2,
  "second": RNG.normal(size=(8, 8)) / 2,
}


def _loss(weights):
  x = jnp.asarray(INPUTS)
  for kernel in (weights["first"], weights["second"]):
    x = jax.nn.relu(ops.batch_norm(x @ kernel, epsilon=0.0)[0])
  logits = x @ LAST
  return optax.softmax_cross_entropy_with_integer_labels(logits, LABELS).mean()


def _train(optimizer, weights, steps, l2=0.0):
  def step(carry, _):
    weights, state = carry
    gradient = jax.grad(_loss)(weights)
    gradient = jax.tree.map(lambda g, w: g + l2 * w, gradient, weights)
    updates, state = optimizer.update(gradient, state, weights)
    return (optax.apply_updates(weights, updates), state), None

  run = jax.jit(lambda carry: jax.lax.scan(step, carry, length=steps)[0])
  return run((weights, optimizer.init(weights)))[0]


def test_no_decay_and_a_growing_rate_are_decay_and_a_constant_one():
  """In float64, over 300 steps in which the weights shrink by a half."""
  rate, l2, steps = 0.1, 0.025, 300
  with jax.enable_x64(True):
    start = jax.tree.map(jnp.asarray, WEIGHTS)
    growing = SCHEDULES["undecayed"](l2=l2)(rate)
    assert growing(300) / rate == pytest.approx((1 - rate * l2) ** -601)
    decayed = _train(optax.sgd(rate), start, steps, l2)
    free = _train(optax.sgd(growing), start, steps)
    moved = 0.0
    for name in start:
      norms = [np.linalg.norm(w[name]) for w in (start, decayed, free)]
      ways = [w[name] / n for w, n in zip((start, decayed, free), norms,
                                          strict=True)]  # fmt: skip
      np.testing.assert_allclose(ways[1], ways[2], atol=1e-12)
      assert norms[2] / norms[1] == pytest.approx((1 - rate * l2) ** -steps)
      moved = max(moved, float(np.abs(ways[1] - ways[0]).max()))
    assert moved > 0.1


@pytest.mark.parametrize("scale", [0.03, 7.0])
def test_weights_of_another_size_need_the_square_of_it_as_a_rate(scale):
  """(w, rate) and (a w, a^2 rate) go through the same functions."""
  with jax.enable_x64(True):
    start = jax.tree.map(jnp.asarray, WEIGHTS)
    large = jax.tree.map(lambda w: scale * w, start)
    one = _train(optax.sgd(0.1), start, 50)
    other = _train(optax.sgd(0.1 * scale**2), large, 50)
    for name in start:
      np.testing.assert_allclose(other[name], scale * one[name], rtol=1e-9)
    # An L2 term of a w is one of a^2 l2 of w.
    one = _train(optax.sgd(0.1), start, 50, 0.02)
    other = _train(optax.sgd(0.1 * scale**2), large, 50, 0.02 / scale**2)
    for name in start:
      np.testing.assert_allclose(other[name], scale * one[name], rtol=1e-9)
