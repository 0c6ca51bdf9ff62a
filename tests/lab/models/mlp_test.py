"""The multilayer perceptron: parameters, placement, pairing, refusals."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from bnjax.lab.errors import UserError
from bnjax.lab.models import ACTIVATIONS, NORMS, mlp

X = np.random.default_rng(0).normal(size=(16, 4, 4, 1)).astype(np.float32)
KEYS = {"params": jax.random.key(0), "dropout": jax.random.key(1)}


def _init(**arguments):
  norm = NORMS[arguments.pop("norm", "batch_norm")]
  model = mlp(num_classes=10, norm=norm, **{"width": 8, **arguments})
  return model, model.init(KEYS, X, train=False)


def _count(tree):
  return sum(x.size for x in jax.tree.leaves(tree))


def test_parameters_of_the_published_network():
  norm = NORMS["none"]
  model = mlp(num_classes=10, norm=norm, width=256, depth=2)
  x = jnp.zeros((1, 28, 28, 1))
  variables = jax.eval_shape(
    lambda: model.init(jax.random.key(0), x, train=False)
  )
  kernels = 784 * 256 + 256 * 256 + 256 * 10
  assert kernels == 268_800
  assert _count(variables) == kernels + 256 + 256 + 10


def test_arms_share_their_initial_weights():
  _, with_norm = _init(norm="batch_norm")
  _, without = _init(norm="none")
  for layer in ("dense_0", "dense_1", "output"):
    np.testing.assert_array_equal(
      with_norm["params"][layer]["kernel"], without["params"][layer]["kernel"]
    )


# instance_norm needs space; feature_norm, as the post computes it, has no
# epsilon: an example whose units are all off is 0 / 0.
FOR_MLPS = sorted(NORMS.keys() - {"instance_norm", "feature_norm"})


@pytest.mark.parametrize("norm", FOR_MLPS)
@pytest.mark.parametrize("placement", ["before", "after"])
def test_every_norm_works_at_both_places(norm, placement):
  model, variables = _init(norm=norm, placement=placement, dropout_rate=0.5)
  logits, _ = model.apply(
    variables, X, train=True, mutable=["batch_stats"], rngs=KEYS
  )
  assert logits.shape == (16, 10)
  assert np.isfinite(logits).all()
  assert model.apply(variables, X, train=False).shape == (16, 10)


def test_placement_is_the_order_of_norm_and_activation():
  x = X.reshape(16, -1)
  for placement in ("before", "after"):
    model, variables = _init(placement=placement, depth=1, init="randn")
    y, _ = model.apply(variables, X, train=True, mutable=["batch_stats"])
    p = jax.tree.map(np.asarray, variables["params"])
    z = x @ p["dense_0"]["kernel"]
    if placement == "after":
      z = np.maximum(z, 0)
    z = (z - z.mean(0)) / np.sqrt(z.var(0) + 1e-5)
    if placement == "before":
      z = np.maximum(z, 0)
    np.testing.assert_allclose(
      y, z @ p["output"]["kernel"], rtol=1e-4, atol=1e-4
    )


def test_a_bias_before_batch_norm_changes_nothing():
  model, variables = _init(init="randn")
  moved = jax.tree.map(lambda x: x, variables)
  moved["params"]["dense_0"]["bias"] = 3.0 + jnp.arange(8.0)
  run = lambda v: model.apply(v, X, train=True, mutable=["batch_stats"])[0]
  np.testing.assert_allclose(run(variables), run(moved), rtol=1e-4, atol=1e-4)


def test_no_bias_leaves_it_out():
  _, variables = _init(use_bias=False)
  assert "bias" not in variables["params"]["dense_0"]
  assert "bias" in variables["params"]["output"]


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activations_are_elementwise(name):
  x = jnp.linspace(-2, 2, 12).reshape(3, 4)
  y = ACTIVATIONS[name](x)
  np.testing.assert_allclose(ACTIVATIONS[name](x[1:2]), y[1:2], rtol=1e-6)


def test_masked_rows_do_not_count():
  model, variables = _init(init="randn")
  poisoned = np.concatenate([X, np.full_like(X[:4], 1e6)])
  mask = jnp.arange(20) < 16
  run = lambda x, mask: model.apply(
    variables, x, train=True, mask=mask, mutable=["batch_stats"]
  )
  y, stats = run(X, None)
  y_masked, stats_masked = run(poisoned, mask)
  np.testing.assert_allclose(y, y_masked[:16], rtol=1e-5, atol=1e-5)
  jax.tree.map(
    lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6),
    stats,
    stats_masked,
  )


@pytest.mark.parametrize(
  ("arguments", "message"),
  [
    ({"init": "heh"}, r"model\.init: 'heh'.*'he'"),
    ({"activation": "rely"}, r"model\.activation: 'rely'.*'relu'"),
    ({"placement": "inside"}, r"model\.placement: 'inside'.*after, before"),
    ({"derivative": "wrong"}, r"model\.derivative: 'wrong'"),
    ({"dropout_rate": 1.0}, r"model\.dropout_rate: 1\.0 is too large"),
    ({"width": 0}, r"model\.width: 0 is too small"),
    (
      {"derivative": "as_published", "norm": "none"},
      r"norm\.name='batch_norm'",
    ),
    (
      {"derivative": "as_published", "placement": "after"},
      "placement='before'",
    ),
  ],
)
def test_what_is_wrong_is_named(arguments, message):
  with pytest.raises(UserError, match=message):
    _init(**arguments)


def test_activation_and_initializer_may_come_from_outside():
  model, variables = _init(activation="tanh")
  outside = {"activation": "jax.numpy:tanh"}
  outside["init"] = "bnjax.lab.models.initializers:he"
  same, theirs = _init(**outside)
  jax.tree.map(np.testing.assert_array_equal, theirs, variables)
  np.testing.assert_array_equal(
    same.apply(theirs, X, train=False), model.apply(variables, X, train=False)
  )
