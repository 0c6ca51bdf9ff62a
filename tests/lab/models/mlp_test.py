"""The multilayer perceptron: parameters, placement, pairing, refusals."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from bnjax.lab.errors import UserError
from bnjax.lab.models import ACTIVATIONS, NORMS, mlp
from bnjax.lab.probes import capture

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


@pytest.mark.parametrize("train", [True, False])
def test_the_norm_in_some_layers_is_a_network_of_these(train):
  """Fused or not: the layers without a norm have their activation."""
  model, variables = _init(depth=3, norm_layers=(-1,), init="randn")
  assert {*variables["params"]} == {
    "dense_0", "dense_1", "dense_2", "norm_2", "output"
  }  # fmt: skip
  y, _ = model.apply(variables, X, train=train, mutable=["batch_stats"])
  p = jax.tree.map(lambda x: np.asarray(x, np.float64), variables["params"])
  z = X.reshape(16, -1)
  for i in range(3):
    z = z @ p[f"dense_{i}"]["kernel"]
    if i == 2:
      moments = (z.mean(0), z.var(0)) if train else (0, 1)
      z = (z - moments[0]) / np.sqrt(moments[1] + 1e-5)
    z = np.maximum(z, 0)
  np.testing.assert_allclose(y, z @ p["output"]["kernel"], rtol=1e-3, atol=1e-3)


def test_dropout_before_the_norm_or_last_in_some_layers():
  """What is dropped is 0: where it enters the norm, or the next layer."""

  def zeros(layer, **arguments):
    model, variables = _init(
      depth=2, width=64, dropout_rate=0.5, placement="after", init="randn",
      activation="tanh", **arguments,
    )  # fmt: skip
    seen = capture(model, variables, X, train=True, rngs=KEYS).outputs[layer]
    return float(np.mean(seen == 0))

  early = {"dropout_placement": "before_norm"}
  assert zeros("norm_input_0", **early) == pytest.approx(0.5, abs=0.1)
  assert zeros("norm_input_1", **early) == pytest.approx(0.5, abs=0.1)
  assert zeros("norm_input_0", **early, dropout_layers=(1,)) == 0
  assert zeros("norm_input_1", **early, dropout_layers=(1,)) > 0.4
  assert zeros("norm_input_1") == 0
  # Last: the classifier alone gets what was dropped, scaled to have its mean.
  model, variables = _init(depth=1, width=64, dropout_rate=0.5)
  late = capture(model, variables, X, train=True, rngs=KEYS)
  kept = late.outputs["activation_0"], variables["params"]["output"]["kernel"]
  assert np.abs(late.output - kept[0] @ kept[1]).max() > 0.01
  model, variables = _init(depth=2, dropout_rate=0.5, dropout_layers=(0,))
  seen = capture(model, variables, X, train=True, rngs=KEYS)
  last, head = seen.outputs["activation_1"], variables["params"]["output"]
  np.testing.assert_allclose(seen.output, last @ head["kernel"], atol=1e-5)


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
    ({"norm_layers": (2,)}, r"model\.norm_layers: 2 is no hidden layer"),
    ({"dropout_layers": (-3,)}, r"model\.dropout_layers: -3 is no hidden"),
    ({"dropout_placement": "first"}, r"model\.dropout_placement: 'first'"),
    (
      {"derivative": "as_published", "norm_layers": (0,)},
      "the norm in every hidden layer",
    ),
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
