"""Ghost batch norm whose statistics stand still from a step on."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from bnjax.lab.models import NORMS

X = np.random.default_rng(0).normal(2, 3, size=(5, 8, 3)).astype(np.float32)


def _train(steps, jit=False, **fields):
  """Outputs of some steps, each of its own batch, and the last statistics."""
  norm = NORMS["ghost_batch_norm"](ghost_groups=2, decay=0.5, **fields)

  def step(stats, x):
    y, new = norm.apply(
      {"params": params, "batch_stats": stats},
      x,
      use_running_average=False,
      mutable=["batch_stats"],
    )
    return new["batch_stats"], y

  made = norm.init(jax.random.key(0), X[0], use_running_average=True)
  params, stats = made["params"], made["batch_stats"]
  step = jax.jit(step) if jit else step
  outputs = []
  for x in X[:steps]:
    stats, y = step(stats, x)
    outputs.append(y)
  return outputs, stats


@pytest.mark.parametrize("jit", [False, True])
def test_until_then_as_it_is_and_then_by_what_it_has(jit):
  plain, _ = _train(5)
  _, at_three = _train(3)
  outputs, stats = _train(5, jit, freeze_start=3)
  np.testing.assert_allclose(outputs[:3], plain[:3], atol=1e-5)
  mean, var = (np.asarray(at_three[name]) for name in ("mean", "var"))
  expected = (X[3:] - mean) / np.sqrt(var + 1e-5)
  np.testing.assert_allclose(outputs[3:], expected, atol=1e-5)
  for name in ("mean", "var"):
    np.testing.assert_allclose(stats[name], at_three[name], rtol=1e-6)
  assert stats["step"] == 5
  assert np.abs(np.asarray(plain[3]) - expected[0]).max() > 0.1


def test_frozen_it_has_the_gradient_of_an_affine_map():
  norm = NORMS["ghost_batch_norm"](ghost_groups=1, freeze_start=0)
  made = norm.init(jax.random.key(0), X[0], use_running_average=True)
  apply = lambda x: norm.apply(
    made, x, use_running_average=False, mutable=["batch_stats"]
  )[0]
  gradient = jax.grad(lambda x: jnp.sum(apply(x)))(jnp.asarray(X[0]))
  np.testing.assert_allclose(gradient, 1 / np.sqrt(1 + 1e-5), rtol=1e-6)


def test_without_a_step_there_is_none():
  norm = NORMS["ghost_batch_norm"]()
  made = norm.init(jax.random.key(0), X[0], use_running_average=True)
  assert set(made["batch_stats"]) == {"mean", "var"}
