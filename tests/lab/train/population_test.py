"""Statistics of some minibatches, for every norm that keeps any."""

import functools

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from bnjax.lab.errors import UserError
from bnjax.lab.models import NORMS
from bnjax.lab.registry import Traced
from bnjax.lab.train.batches import Draws, as_words, minibatch
from bnjax.lab.train.population import (
  check_statistics,
  with_population_statistics,
)
from bnjax.lab.train.sharding import ONE_DEVICE
from bnjax.lab.train.step import Batch, Task, init_state

IMAGES = np.random.default_rng(0).normal(2.0, 3.0, (24, 6)).astype(np.float32)
ROWS = np.array([[0, 1, 2, 3, 4, 5, 6, 7], [8, 9, 10, 11, 12, 13, 14, 23]])
STATEFUL = (
  "batch_norm",
  "batch_renorm",
  "evonorm_b0",
  "flax_batch_norm",
  "frozen_batch_norm",
  "ghost_batch_norm",
  "iter_norm",
  "l1_batch_norm",
  "lp_batch_norm",
  "noisy_batch_norm",
  "torch_batch_norm",
  "whitening",
)


class Net(nn.Module):
  """A norm of the input, dropout, and another norm."""

  num_classes: int
  norm: type[nn.Module]

  @nn.compact
  def __call__(self, x, *, train, mask=None):
    x = self.norm(name="first")(x, use_running_average=not train, mask=None)
    x = nn.Dropout(0.5, deterministic=not train)(nn.relu(x))
    return self.norm(name="second")(x, use_running_average=not train)


class Decaying(nn.Module):
  """Keeps the largest magnitude of a feature, and counts."""

  decay: Traced[float] = 0.9

  @nn.compact
  def __call__(self, x, use_running_average, *, mask=None):
    top = self.variable("batch_stats", "top", jnp.ones, x.shape[-1:])
    seen = self.variable("batch_stats", "seen", jnp.zeros, (), jnp.int32)
    if not use_running_average and not self.is_initializing():
      new = jnp.max(jnp.abs(x), axis=0)
      top.value = self.decay * top.value + (1 - self.decay) * new
      seen.value += 1
      return x / new[None]
    return x / top.value[None]


class Stubborn(nn.Module):
  """Keeps statistics by a rule that nobody can change."""

  @nn.compact
  def __call__(self, x, use_running_average, *, mask=None):
    self.variable("batch_stats", "top", jnp.ones, x.shape[-1:])
    return x


def _task(norm, estimator="paper"):
  task = Task(Net(3, norm), optax.sgd(0.1), 0.0, 0.0)
  return task._replace(population_estimator=estimator)


def _with_population(task, rows=ROWS):
  """The statistics before and after."""
  state = init_state(task, jax.random.key(0), IMAGES.shape[1:])
  state = state._replace(
    batch_stats=jax.tree.map(lambda x: 7 * jnp.ones_like(x), state.batch_stats)
  )
  check_statistics(task, state, "a norm")
  train = Batch(as_words(jnp.asarray(IMAGES)), jnp.zeros(24, jnp.int32))
  draws = Draws(jnp.asarray(rows), None, None, None)
  function = jax.jit(
    lambda state: with_population_statistics(
      task,
      state,
      draws,
      lambda draw: minibatch(train, draw, IMAGES.shape[1:], ONE_DEVICE),
    )
  )
  return state.batch_stats, function(state).batch_stats


def test_every_norm_is_looked_at():
  kept = {
    name
    for name, entry in NORMS.items()
    if init_state(_task(entry), jax.random.key(0), (3, 3, 2)).batch_stats
  }
  assert kept == set(STATEFUL)


@pytest.mark.parametrize("name", STATEFUL)
def test_statistics_are_those_of_the_minibatches(name):
  more = {"ghost_groups": 2} if name == "ghost_batch_norm" else {}
  before, after = _with_population(
    _task(functools.partial(NORMS[name], **more))
  )
  batches = IMAGES[ROWS].astype(np.float64)
  mean = batches.mean(axis=1)
  if name in ("iter_norm", "whitening"):
    deviations = batches - mean[:, None]
    cov = np.einsum("bni,bnj->bij", deviations, deviations) / 8
    found = after["first"]["cov"].reshape(6, 6)
    np.testing.assert_allclose(found, cov.mean(0), rtol=1e-4, atol=1e-4)
  elif name == "l1_batch_norm":
    spread = np.abs(batches - mean[:, None]).mean(1) * np.sqrt(np.pi / 2)
    ratio = after["first"]["var"] / (spread**2).mean(0)
    np.testing.assert_allclose(ratio, ratio[0], rtol=1e-4)
    assert ratio[0] == pytest.approx(1, rel=0.2)  # or unbiased
  elif name == "lp_batch_norm":
    square = np.abs(batches).mean(1) ** 2
    ratio = after["first"]["var"] / square.mean(0)
    np.testing.assert_allclose(ratio, 8 / 7, rtol=1e-4)  # Unbiased.
  elif name == "evonorm_b0":
    np.testing.assert_allclose(
      after["first"]["var"], batches.var(axis=1).mean(0), rtol=1e-4
    )
  else:
    unbiased = batches.var(axis=1, ddof=1).mean(0)
    np.testing.assert_allclose(after["first"]["var"], unbiased, rtol=1e-4)
  np.testing.assert_allclose(
    after["first"]["mean"], mean.mean(0), rtol=1e-4, atol=1e-5
  )
  for norm in ("first", "second"):
    for key, value in after[norm].items():
      if jnp.issubdtype(value.dtype, jnp.floating) and key != "weight":
        assert not np.any(value == before[norm][key]), (norm, key)


def test_variances_without_the_papers_factor():
  task = _task(NORMS["batch_norm"], "biased")
  _, after = _with_population(task)
  batches = IMAGES[ROWS].astype(np.float64)
  found = after["first"]
  np.testing.assert_allclose(found["var"], batches.var(1).mean(0), rtol=1e-5)
  np.testing.assert_allclose(found["mean"], batches.mean((0, 1)), rtol=1e-5)


def test_a_norm_from_outside_that_forgets():
  _, after = _with_population(_task(Decaying))
  tops = np.abs(IMAGES[ROWS]).max(axis=1).astype(np.float64)
  np.testing.assert_allclose(after["first"]["top"], tops.mean(0), rtol=1e-6)
  inner = np.maximum(IMAGES[ROWS] / tops[:, None], 0).max(axis=1).mean(0)
  np.testing.assert_allclose(after["second"]["top"], inner, rtol=1e-6)
  assert after["first"]["seen"] == 7  # counts are no averages


def test_a_rule_of_its_own_is_refused():
  with pytest.raises(UserError, match=r"population_batches: .*'a norm' cannot"):
    _with_population(_task(Stubborn))


def test_without_statistics_nothing_changes():
  before, after = _with_population(_task(NORMS["layer_norm"]))
  assert before == after == {}
