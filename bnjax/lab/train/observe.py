"""What probes see of a network on a batch."""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from bnjax.lab import probes
from bnjax.lab.errors import UserError
from bnjax.lab.train.population import by_batch
from bnjax.lab.train.state import TrainState
from bnjax.lab.train.step import (
  PROBES,
  Batch,
  Task,
  add_l2,
  predict,
  preprocess,
  step_rngs,
  working_variables,
)


def observe(chosen: Any, task: Task, state: TrainState, batch: Batch) -> Any:
  """Runs the probes on a batch as in training; the state stays as it is."""

  def loss_fn(outputs: Any) -> jax.Array:
    sums = task.loss(outputs, batch.labels, None)
    return sums.loss / sums.examples

  def update_fn(gradient: Any) -> Any:
    whole = add_l2(task, gradient, state.params)
    return task.optimizer.update(whole, state.opt_state, state.params)[0]

  return probes.run_probes(
    chosen,
    task.model,
    working_variables(task, state),
    preprocess(task, batch.images),
    loss_fn=loss_fn,
    update_fn=update_fn,
    classifier=classifier_of(task, state, batch),
    train=True,
    rngs=step_rngs(jax.random.fold_in(state.key, PROBES)),
  )


def classifier_of(
  task: Task, state: TrainState, batch: Batch
) -> probes.Classifier:
  """The network in inference mode, with the batch as its labelled examples."""
  variables, key = working_variables(task, state), state.key
  rngs = step_rngs(jax.random.fold_in(key, PROBES))

  def outputs_fn(images: jax.Array, own: bool) -> jax.Array:
    if not own:
      return predict(task, state, images)
    with nn.intercept_methods(by_batch):
      outputs: Any = task.model.apply(
        variables, images, train=False, mutable=["batch_stats"], rngs=rngs
      )
    return outputs[0]

  def loss_fn(outputs: jax.Array, labels: jax.Array) -> jax.Array:
    sums = task.loss(outputs, labels, None)
    return sums.loss / sums.examples

  def correct_fn(outputs: jax.Array, labels: jax.Array) -> jax.Array:
    correct = task.loss(outputs, labels, None).correct
    if correct is None:
      raise UserError("loss.name: nothing is classified, and a probe looks at "
                      "the classifier")  # fmt: skip
    return correct

  pixels = batch.images.dtype == jnp.uint8
  return probes.Classifier(
    outputs_fn,
    loss_fn,
    correct_fn,
    preprocess(task, batch.images),
    batch.labels,
    0 - task.pixel_mean if pixels else None,
    1 - task.pixel_mean if pixels else None,
    rngs["noise"],
  )
