"""One step of training and one evaluation: pure functions of one network."""

from collections.abc import Callable
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax

from bnjax.lab.train.losses import Sums, classification_sums, kernel_mask
from bnjax.lab.train.precision import PRECISIONS, Precision, cast_kernels
from bnjax.lab.train.state import TrainState

# What a run's key is folded with to draw: its streams are independent, and two
# arms with the same seed share each of them.
PARAMS, BATCHES, DROPOUT, PROBES, POPULATION = range(5)
AUGMENT, NOISE = 1, 2  # folded into a step's dropout key


class Batch(NamedTuple):
  """A minibatch: images `[n, ...]`, labels `[n]`, mask `[n]`.

  Images are uint8, or floating and then taken as they are.
  """

  images: jax.Array
  labels: jax.Array
  mask: jax.Array | None = None


ESTIMATORS = ("paper", "biased")


class Task(NamedTuple):
  """What is trained, and how. Its numbers may be traced."""

  model: nn.Module  #: maps preprocessed images to outputs, such as logits
  #: an optax gradient transformation of the gradient of the whole loss, see
  #: `add_l2`
  optimizer: optax.GradientTransformation
  l2: Any  #: coefficient of `½ Σ w²` over the kernels in the loss
  #: subtracted from pixels in [0, 1]: the mean over the training set, one
  #: number
  pixel_mean: Any
  #: (outputs, labels, mask) -> Sums
  loss: Callable[..., Sums] = classification_sums
  #: (key, images in [0, 1]) -> images, of a training minibatch
  augment: Callable[..., jax.Array] | None = None
  #: of parameters, images and all that follows
  precision: Precision = PRECISIONS["float32"]
  #: of Algorithm 2's variances, one of `ESTIMATORS`: the mean of the
  #: minibatches' unbiased ones, or of those that training divides by
  population_estimator: str = "paper"


def preprocess(
  task: Task, images: jax.Array, key: jax.Array | None = None
) -> jax.Array:
  """Scales uint8 images to [0, 1] and subtracts the mean."""
  kept, wanted = task.precision
  if images.dtype != jnp.uint8:
    return images.astype(wanted)
  images = images.astype(kept) * (1 / 255)
  if key is not None and task.augment is not None:
    images = task.augment(jax.random.fold_in(key, AUGMENT), images)
  return (images - task.pixel_mean).astype(wanted)


def working_variables(task: Task, state: TrainState) -> dict[str, Any]:
  """What the model computes with: kernels in the precision of activations."""
  params = cast_kernels(task.precision, state.params)
  return {"params": params, "batch_stats": state.batch_stats}


def step_rngs(dropout_key: jax.Array) -> dict[str, jax.Array]:
  """The random streams that a model draws from in a step, by their names."""
  noise = jax.random.fold_in(dropout_key, NOISE)
  return {"dropout": dropout_key, "noise": noise}


def init_state(
  task: Task, key: jax.Array, image_shape: tuple[int, ...]
) -> TrainState:
  """A fresh `TrainState`; weights depend on the key, not on the norm."""
  images = jnp.zeros((2, *image_shape), jnp.uint8)
  # A model may have a field that is called `init`.
  fresh = nn.Module.init(
    task.model,
    jax.random.fold_in(key, PARAMS),
    preprocess(task, images),
    train=False,
  )
  if task.precision.params != jnp.float32:
    fresh = jax.tree.map(lambda x: x.astype(task.precision.params), fresh)
  params = fresh.get("params", {})
  return TrainState(
    params,
    fresh.get("batch_stats", {}),
    task.optimizer.init(params),
    key,
  )


def train_step(
  task: Task, state: TrainState, dropout_key: jax.Array, batch: Batch
) -> tuple[TrainState, Sums, Any]:
  """One update by the gradient of data loss + L2.

  Args:
    task: what is trained.
    state: before the step.
    dropout_key: of what this step draws: dropout, noise, augmentation.
    batch: the minibatch; the data loss is the mean over its examples.

  Returns:
    The new state, the minibatch's sums before the update, and the gradient of
    the data loss.
  """

  def loss_fn(params: Any) -> tuple[jax.Array, Any]:
    outputs, updates = task.model.apply(
      working_variables(task, state._replace(params=params)),
      preprocess(task, batch.images, dropout_key),
      train=True,
      mask=batch.mask,
      mutable=["batch_stats"],
      rngs=step_rngs(dropout_key),
    )
    sums = task.loss(_at_least_float32(outputs), batch.labels, batch.mask)
    return sums.loss / sums.examples, (sums, updates.get("batch_stats", {}))

  gradient_fn = jax.grad(loss_fn, has_aux=True)
  gradient, (sums, batch_stats) = gradient_fn(state.params)
  updates, opt_state = task.optimizer.update(
    add_l2(task, gradient, state.params), state.opt_state, state.params
  )
  params = optax.apply_updates(state.params, updates)
  new_state = TrainState(params, batch_stats, opt_state, state.key)
  return new_state, sums, gradient


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


def predict(task: Task, state: TrainState, images: jax.Array) -> jax.Array:
  """The model's outputs in inference mode."""
  outputs: Any = task.model.apply(
    working_variables(task, state), preprocess(task, images), train=False
  )
  return _at_least_float32(outputs)


def evaluate(task: Task, state: TrainState, batch: Batch) -> Sums:
  """Loss and accuracy on a batch, in inference mode."""
  outputs = predict(task, state, batch.images)
  return task.loss(outputs, batch.labels, batch.mask)


def _at_least_float32(x: jax.Array) -> jax.Array:
  return x.astype(jnp.promote_types(x.dtype, jnp.float32))
