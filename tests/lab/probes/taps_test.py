"""The multilayer perceptron seen through its taps."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from bnjax.lab.models import ACTIVATIONS, NORMS, mlp
from bnjax.lab.probes import capture

RNG = np.random.default_rng(0)
X = RNG.normal(size=(16, 7)).astype(np.float32)
LABELS = RNG.integers(0, 4, 16)
KEYS = {"dropout": jax.random.key(1)}


def _model(norm="batch_norm", **arguments):
  model = mlp(
    num_classes=4, norm=NORMS[norm], width=5, init="randn", **arguments
  )
  return model, model.init(jax.random.key(0), X, train=False)


def _loss(logits):
  return -jnp.mean(jax.nn.log_softmax(logits)[np.arange(16), LABELS])


def _apply(model, variables, params=None):
  if params is not None:
    variables = {**variables, "params": params}
  return model.apply(
    variables, X, train=True, mutable=["batch_stats"], rngs=KEYS
  )[0]


def _see(model, variables):
  see = lambda v: capture(model, v, X, loss_fn=_loss, train=True, rngs=KEYS)
  return jax.jit(see)(variables)


@pytest.mark.parametrize("activation", ["relu", "sigmoid"])
@pytest.mark.parametrize("placement", ["before", "after"])
@pytest.mark.parametrize("norm", ["none", "batch_norm", "layer_norm"])
def test_taps_name_the_same_whatever_the_norm(norm, placement, activation):
  model, variables = _model(norm, placement=placement, activation=activation)
  outputs = _see(model, variables).outputs
  function = ACTIVATIONS[activation]
  for i in range(2):
    enters, leaves = (
      outputs[f"{kind}_{i}"] for kind in ("preactivation", "activation")
    )
    normed = outputs.get(f"norm_{i}", outputs[f"dense_{i}"])
    if placement == "before":
      np.testing.assert_array_equal(enters, normed)
      np.testing.assert_allclose(leaves, function(enters), rtol=1e-6)
    else:
      np.testing.assert_array_equal(enters, outputs[f"dense_{i}"])
      expected = function(enters) if norm == "none" else normed
      np.testing.assert_allclose(leaves, expected, rtol=1e-6)


def test_observing_changes_neither_output_nor_gradient():
  """Unobserved, batch norm and ReLU are one; observed, they are two."""
  model, variables = _model(dropout_rate=0.5)
  seen = _see(model, variables)
  np.testing.assert_allclose(
    seen.output, _apply(model, variables), rtol=1e-5, atol=1e-5
  )
  gradient = jax.grad(lambda p: _loss(_apply(model, variables, p)))(
    variables["params"]
  )
  for layer, parts in gradient.items():
    for name, expected in parts.items():
      np.testing.assert_allclose(
        seen.gradients[f"{layer}/{name}"], expected, rtol=1e-4, atol=1e-6
      )
  # The tap is before dropout, which is on the same units as in training.
  kept = seen.output_gradients["activation_0"] != 0
  assert 0.3 < np.mean(kept) < 0.7


def test_unobserved_there_is_no_preactivation_to_store():
  model, variables = _model()
  fused = str(jax.make_jaxpr(lambda v: _apply(model, v))(variables))
  unfused = str(
    jax.make_jaxpr(
      lambda v: model.apply(
        v, X, train=True, mutable=["batch_stats", "intermediates"]
      )[0]
    )(variables)
  )
  assert unfused.count("custom_jvp_call") > fused.count("custom_jvp_call")


def test_taps_have_no_parameters():
  _, variables = _model()
  assert set(variables) == {"params", "batch_stats"}
  assert set(variables["params"]) == {
    *("dense_0", "dense_1", "norm_0", "norm_1", "output")
  }


def test_gradients_of_the_2016_code_are_those_it_used():
  """There dh_0 was computed as it should be, and then put aside."""
  seen = {
    derivative: _see(*_model(derivative=derivative))
    for derivative in ("corrected", "as_published")
  }
  corrected, published = seen["corrected"], seen["as_published"]
  for layer in ("activation_0", "activation_1", "preactivation_1"):
    gradient = published.output_gradients[layer]
    assert np.abs(gradient).max() > 0
    np.testing.assert_allclose(
      gradient, corrected.output_gradients[layer], rtol=1e-4, atol=1e-6
    )
  name = "dense_0/kernel"
  assert not np.allclose(
    published.gradients[name], corrected.gradients[name], rtol=0.1
  )
