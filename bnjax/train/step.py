"""One step of training and one evaluation: pure functions of one network."""

from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax

from bnjax.train.losses import Sums, classification_sums, kernel_mask
from bnjax.train.state import TrainState

# What a run's key is folded with to draw: its streams are independent, and two
# arms with the same seed share each of them.
PARAMS, BATCHES, DROPOUT = range(3)


class Batch(NamedTuple):
  """A minibatch: uint8 images `[n, h, w, c]`, labels `[n]`, mask `[n]`."""

  images: jax.Array
  labels: jax.Array
  mask: jax.Array | None = None


class Task(NamedTuple):
  """What is trained, and how.

  Attributes:
    model: maps preprocessed images to logits.
    optimizer: an optax gradient transformation of the gradient of the whole
      loss, see `add_l2`.
    l2: coefficient of `½ Σ w²` over the kernels in the loss.
    pixel_mean: subtracted from pixels in [0, 1]: the mean over the training
      set, one number.
  """

  model: nn.Module
  optimizer: optax.GradientTransformation
  l2: Any
  pixel_mean: Any


def preprocess(task: Task, images: jax.Array) -> jax.Array:
  """Scales uint8 images to [0, 1] and subtracts the mean."""
  return images.astype(jnp.float32) * (1 / 255) - task.pixel_mean


def init_state(task: Task, key: jax.Array, image_shape: tuple[int, ...]):  # type: ignore[no-untyped-def]
  """A fresh `TrainState`; weights depend on the key, not on the norm."""
  images = jnp.zeros((2, *image_shape), jnp.uint8)
  variables = task.model.init(
    jax.random.fold_in(key, PARAMS), preprocess(task, images), train=False
  )
  params = variables["params"]
  return TrainState(
    params,
    variables.get("batch_stats", {}),
    task.optimizer.init(params),
    key,
  )


def train_step(
  task: Task, state: TrainState, dropout_key: jax.Array, batch: Batch
) -> tuple[TrainState, jax.Array, Any]:
  """One update by the gradient of data loss + L2.

  Args:
    task: what is trained.
    state: before the step.
    dropout_key: of this step's dropout masks.
    batch: the minibatch; the data loss is the mean over its examples.

  Returns:
    The new state, the data loss (nats, before the update), its gradient.
  """

  def loss_fn(params: Any) -> tuple[jax.Array, Any]:
    logits, updates = task.model.apply(
      {"params": params, "batch_stats": state.batch_stats},
      preprocess(task, batch.images),
      train=True,
      mask=batch.mask,
      mutable=["batch_stats"],
      rngs={"dropout": dropout_key},
    )
    sums = classification_sums(logits, batch.labels, batch.mask)
    return sums.loss / sums.examples, updates.get("batch_stats", {})

  gradient_fn = jax.value_and_grad(loss_fn, has_aux=True)
  (data_loss, batch_stats), gradient = gradient_fn(state.params)
  updates, opt_state = task.optimizer.update(
    add_l2(task, gradient, state.params), state.opt_state, state.params
  )
  params = optax.apply_updates(state.params, updates)
  new_state = TrainState(params, batch_stats, opt_state, state.key)
  return new_state, data_loss, gradient


def add_l2(task: Task, gradient: Any, params: Any) -> Any:
  """The gradient of the whole loss from that of the data loss: `+ l2 w`.

  Not left to autodiff, so that the sum is computed where it is used and need
  not be stored: at these sizes the step is bound by memory after its products.
  """
  return jax.tree.map(
    lambda g, w, kernel: g + task.l2 * w if kernel else g,
    gradient,
    params,
    kernel_mask(params),
  )


def evaluate(task: Task, state: TrainState, batch: Batch) -> Sums:
  """Loss and accuracy on a batch, in inference mode."""
  logits: Any = task.model.apply(
    {"params": state.params, "batch_stats": state.batch_stats},
    preprocess(task, batch.images),
    train=False,
  )
  return classification_sums(logits, batch.labels, batch.mask)
