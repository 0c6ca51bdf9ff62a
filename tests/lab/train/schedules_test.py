"""Schedules against closed forms and optax, and with traced rates."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

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
