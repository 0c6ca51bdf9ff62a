"""Labels of parameters, and what optax makes of them."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import pytest

from bnjax.linen import BatchNorm
from bnjax.tools import norm_labels


class Net(nn.Module):
  @nn.compact
  def __call__(self, x):
    x = nn.Conv(4, (3,), name="conv")(x)
    x = BatchNorm(use_running_average=True, use_scale=False, name="ours")(x)
    x = nn.BatchNorm(use_running_average=True, name="flax")(x)
    x = nn.LayerNorm(name="layer")(x)
    x = nn.WeightNorm(nn.Dense(3, name="dense"), name="weight_norm")(x)
    return self.param("scale", nn.initializers.ones, ()) * x


@pytest.fixture(scope="module")
def variables():
  return Net().init(jax.random.key(0), jnp.ones((2, 5, 3)))


def test_labels(variables):
  assert norm_labels(variables) == {
    "conv": {"kernel": "weight", "bias": "bias"},
    "ours": {"bias": "batch_norm"},
    "flax": {"bias": "batch_norm", "scale": "batch_norm"},
    "layer": {"bias": "norm", "scale": "norm"},
    "dense": {"kernel": "weight", "bias": "bias"},
    "weight_norm": {"dense/kernel/scale": "weight"},
    "scale": "norm",
  }


def test_trains_batch_norms_alone(variables):
  optax = pytest.importorskip("optax")
  labels = norm_labels(variables)
  rest = {"norm": optax.set_to_zero(), "bias": optax.set_to_zero()}
  optimizer = optax.multi_transform(
    {"batch_norm": optax.sgd(1.0), "weight": optax.set_to_zero(), **rest},
    labels,
  )
  params = variables["params"]
  grads = jax.tree.map(jnp.ones_like, params)
  updates, _ = optimizer.update(grads, optimizer.init(params), params)
  moved = jax.tree.map(lambda u: bool(jnp.all(u == -1)), updates)
  want = jax.tree.map(lambda label: label == "batch_norm", labels)
  assert moved == want


def test_labels_boxed_parameters():
  init = nn.with_partitioning(nn.initializers.ones, ("model",))
  model = nn.BatchNorm(use_running_average=True, scale_init=init)
  variables = model.init(jax.random.key(0), jnp.ones((2, 3)))
  labels = jax.tree.leaves(norm_labels(variables))
  assert labels == ["batch_norm", "batch_norm"]


def test_a_scale_beside_a_kernel_is_not_a_norm():
  """As in layers that multiply their kernel by a learned scale."""
  layer = {
    "kernel": jnp.ones((3, 2)),
    "scale": jnp.ones(2),
    "bias": jnp.ones(2),
  }
  labels = norm_labels({"params": {"scaled": layer}})
  want = {"kernel": "weight", "scale": "weight", "bias": "bias"}
  assert labels == {"scaled": want}


def test_parameters_alone_are_told_from_variables(variables):
  with pytest.raises(KeyError, match="give all of the model's variables"):
    norm_labels(variables["params"])
