"""Accuracy of a network as it is, by a batch's statistics, and attacked."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from bnjax.lab.errors import UserError
from bnjax.lab.models import NORMS, mlp
from bnjax.lab.probes import (
  Classifier,
  accuracy,
  attacked_accuracy,
  make_probes,
  run_probes,
)
from bnjax.lab.train.losses import classification_sums
from bnjax.lab.train.observe import classifier_of
from bnjax.lab.train.state import TrainState
from bnjax.lab.train.step import Batch, Task

RNG = np.random.default_rng(0)


def _classifier(outputs_fn, images, labels, low=None, high=None):
  def loss(outputs, labels):
    sums = classification_sums(outputs, labels)
    return sums.loss / sums.examples

  correct = lambda outputs, labels: classification_sums(outputs, labels).correct
  return Classifier(
    outputs_fn, loss, correct, images, labels, low, high, jax.random.key(0)
  )


def _linear():
  """A linear network of two classes, and how far each example is right."""
  x = RNG.normal(size=(200, 5))
  w, labels = RNG.normal(size=(5, 2)), RNG.integers(0, 2, 200)
  scores = x @ (w[:, 1] - w[:, 0])
  margins = np.where(labels == 1, scores, -scores)
  return x, w, labels, margins


@pytest.mark.parametrize("steps", [1, 20])
def test_a_linear_network_errs_where_its_margin_is_too_small(steps):
  x, w, labels, margins = _linear()
  epsilons = (0.0, 0.05, 0.2, 1.0)
  distances = margins / np.abs(w[:, 1] - w[:, 0]).sum()
  expected = [(distances > epsilon).mean() for epsilon in epsilons]
  assert expected[0] > expected[1] > expected[2] > expected[3]
  with jax.enable_x64(True):
    network = _classifier(
      lambda x, _: x @ w, jnp.asarray(x), jnp.asarray(labels)
    )
    found = attacked_accuracy(network, epsilons, steps)
  np.testing.assert_allclose(found, expected, rtol=1e-6)


@pytest.mark.parametrize(("low", "kept"), [(None, 0.0), (0.0, 1.0)])
def test_an_attack_stays_within_what_pixels_may_be(low, kept):
  """Only a pixel below the least would be of the other class."""
  outputs_fn = lambda x, _: jnp.concatenate([x + 0.1, -x - 0.1], axis=1)
  network = _classifier(outputs_fn, jnp.zeros((3, 1)), jnp.zeros(3, int), low)
  assert attacked_accuracy(network, (0.5,)).tolist() == [kept]


def test_batches_and_shifts():
  seen = []

  def outputs_fn(images, own):
    seen.append((images.shape, own))
    return images[:, :2]

  images = jnp.asarray(RNG.uniform(0.2, 0.8, size=(10, 4)), jnp.float32)
  labels = jnp.argmax(images[:, :2], axis=1)
  network = _classifier(outputs_fn, images, labels, 0.0, 1.0)
  assert accuracy(network) == 1
  assert accuracy(network, "batch", batch=4) == 1
  assert seen == [((10, 4), False), ((4, 4), True)]
  # Deviations of no size leave the first class to win always.
  alone = accuracy(network, contrast=0.0)
  assert alone == pytest.approx(float(np.mean(labels == 0)))
  assert accuracy(network, noise=10.0) < 1
  with pytest.raises(UserError, match="statistics: 'own' is not known"):
    accuracy(network, "own")


def _task():
  model = mlp(num_classes=3, norm=NORMS["batch_norm"], width=6, depth=1,
              dropout_rate=0.5)  # fmt: skip
  images = RNG.integers(0, 256, size=(12, 4, 4, 1), dtype=np.uint8)
  batch = Batch(jnp.asarray(images), jnp.asarray(RNG.integers(0, 3, 12)))
  task = Task(model, optax.sgd(0.1), 0.0, 0.25)
  variables = model.init(jax.random.key(0), images[:2] / 255, train=False)
  stats = jax.tree.map(lambda x: x + 2.0, variables["batch_stats"])
  state = TrainState(variables["params"], stats, None, jax.random.key(1))
  return task, state, batch


def test_a_network_in_inference_by_either_statistics():
  """By a batch's there is still no dropout."""
  task, state, batch = _task()
  found = classifier_of(task, state, batch)
  x = batch.images.astype(jnp.float32) / 255 - 0.25
  np.testing.assert_allclose(found.images, x, atol=1e-6)
  assert (found.low, found.high) == (-0.25, 0.75)
  variables = {"params": state.params, "batch_stats": state.batch_stats}
  running = task.model.apply(variables, x, train=False)
  np.testing.assert_allclose(found.outputs_fn(x, False), running, atol=1e-6)
  own, _ = task.model.clone(dropout_rate=0.0).apply(
    variables, x, train=True, mutable=["batch_stats"]
  )
  np.testing.assert_allclose(found.outputs_fn(x, True), own, atol=1e-5)
  assert np.abs(own - running).max() > 0.1


def test_a_probe_of_the_classifier():
  task, state, batch = _task()
  probes = make_probes(
    {
      "clean": {"measure": "accuracy"},
      "attacked": {"measure": "attacked_accuracy", "epsilons": (0.0, 0.5)},
    }
  )
  assert {probe.of for probe in probes} == {"classifier"}
  network = classifier_of(task, state, batch)
  variables = {"params": state.params, "batch_stats": state.batch_stats}
  found = run_probes(
    probes, task.model, variables, network.images, classifier=network,
    train=False,
  )  # fmt: skip
  clean = found["clean"]["classifier"]
  attacked = found["attacked"]["classifier"]
  assert attacked[0] == clean
  assert attacked[1] <= clean
  with pytest.raises(UserError, match="of 'classifier', which needs one"):
    run_probes(probes, nn.Dense(2), {}, network.images)
