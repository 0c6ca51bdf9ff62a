"""The deep linear network: a product of matrices, and its target."""

import jax
import jax.numpy as jnp
import numpy as np

from bnjax.lab.models import NORMS, deep_linear
from bnjax.lab.train.losses import LOSSES

X = np.random.default_rng(0).normal(size=(8, 6)).astype(np.float32)


def test_it_is_the_product_of_its_matrices_less_the_target():
  model = deep_linear(num_classes=1, norm=None, width=4, depth=3)
  params = model.init(jax.random.key(0), X, train=False)["params"]
  kernels = {name: np.float64(p["kernel"]) for name, p in params.items()}
  assert kernels.keys() == {"dense_0", "dense_1", "dense_2", "target"}
  x = X[:, :4]
  expected = np.linalg.multi_dot(
    [x, *(kernels[f"dense_{i}"] for i in range(3))]
  )
  expected = expected - x @ kernels["target"]

  def loss(params):
    outputs = model.apply({"params": params}, X, train=True)
    np.testing.assert_allclose(
      jax.lax.stop_gradient(outputs), expected, rtol=1e-4, atol=1e-5
    )
    sums = LOSSES["squares"]()(outputs, jnp.zeros(8, jnp.int32), None)
    return sums.loss / sums.examples

  value, gradient = jax.value_and_grad(lambda p: loss(p))(params)
  np.testing.assert_allclose(value, (expected**2).sum(), rtol=1e-5)
  assert not np.any(gradient["target"]["kernel"])
  assert np.any(gradient["dense_0"]["kernel"])


def test_a_norm_follows_every_layer_but_the_last():
  model = deep_linear(num_classes=1, norm=NORMS["batch_norm"], depth=3, width=4)
  params = model.init(jax.random.key(0), X, train=False)["params"]
  assert [k for k in sorted(params) if "norm" in k] == ["norm_0", "norm_1"]
