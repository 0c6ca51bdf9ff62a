"""Many networks, many steps, one compiled program.

The networks of an arm (its seeds) lie along a leading axis and are `vmap`ped;
the steps between two evaluations are one `lax.scan`. The host gets a handful of
numbers per network and chunk of steps.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from bnjax.train.draw import Draws
from bnjax.train.evaluation import evaluate_splits
from bnjax.train.images import take
from bnjax.train.losses import Sums, l2_penalty
from bnjax.train.state import TrainState
from bnjax.train.step import Batch, Task, add_l2, init_state, train_step


class Metrics(NamedTuple):
  """One number per network, `[networks]`, at the last step of a chunk.

  Attributes:
    data_loss: cross-entropy of the step's minibatch before its update, nats.
    l2_loss: the L2 term of the loss at the same parameters.
    grad_norm: norm of the gradient of their sum.
    param_norm: norm of all parameters after the update.
    validation: sums over the validation set, in inference mode.
    test: sums over the test set.
    diverged_step: the first step of the chunk whose data loss was not finite,
      counted from 1; 0 where there was none.
  """

  data_loss: jax.Array
  l2_loss: jax.Array
  grad_norm: jax.Array
  param_norm: jax.Array
  validation: Sums
  test: Sums
  diverged_step: jax.Array


class Splits(NamedTuple):
  """Training, validation and test set on the device.

  Attributes:
    train: images as `bnjax.train.images.as_words` gives them.
    validation: images as uint8.
    test: likewise.
  """

  train: Batch
  validation: Batch
  test: Batch


class Program(NamedTuple):
  """The compiled functions that train the networks of one arm.

  Attributes:
    init: seeds `[networks]` -> states.
    chunk: (states, splits, draws, first_step) -> (states, metrics); trains for
      as many steps as there are draws, then evaluates. The states are donated.
  """

  init: Callable[..., TrainState]
  chunk: Any  # jitted


def make_program(task: Task, *, image_shape: tuple[int, ...]) -> Program:
  """The program that trains networks of `task` from any number of seeds."""

  def init(seeds: jax.Array) -> TrainState:
    one = lambda seed: init_state(task, jax.random.key(seed), image_shape)
    return jax.vmap(one)(seeds)

  def chunk(
    states: TrainState, splits: Splits, draws: Draws, first_step: jax.Array
  ) -> tuple[TrainState, Metrics]:
    states, losses, norms = advance(
      task, states, splits.train, draws, image_shape
    )
    validation, test = evaluate_splits(
      task, states, [splits.validation, splits.test]
    )
    return states, Metrics(
      data_loss=losses[-1],
      l2_loss=task.l2 * norms.penalty,
      grad_norm=norms.gradient,
      param_norm=jax.vmap(optax.tree.norm)(states.params),
      validation=validation,
      test=test,
      diverged_step=_first_not_finite(losses, first_step),
    )

  return Program(jax.jit(init), jax.jit(chunk, donate_argnums=0))


class Norms(NamedTuple):
  """`½ Σ w²` and the norm of the loss's gradient, before a step's update."""

  penalty: jax.Array
  gradient: jax.Array


def advance(
  task: Task,
  states: TrainState,
  train: Batch,
  draws: Draws,
  image_shape: tuple[int, ...],
) -> tuple[TrainState, jax.Array, Norms]:
  """Trains all networks for as many steps as there are draws.

  Args:
    task: what is trained.
    states: of all networks.
    train: the training set, its images as `bnjax.train.images.as_words` gives
      them.
    draws: what each step draws.
    image_shape: of one image.

  Returns:
    The states, the data losses `[steps, networks]`, the last step's norms.
  """
  steps, networks = draws.dropout_keys.shape

  def norms_of(params: Any, gradient: Any) -> Norms:
    whole = add_l2(task, gradient, params)
    return Norms(l2_penalty(params), optax.tree.norm(whole))

  def body(carry: Any, inputs: Any) -> tuple[Any, jax.Array]:
    states, norms = carry
    is_last, draws = inputs

    def one(state: TrainState, draw: Draws) -> Any:
      images = take(train.images, draw.rows, image_shape)
      batch = Batch(images, train.labels[draw.rows], draw.masks)
      return train_step(task, state, draw.dropout_keys, batch)

    new, data_loss, gradient = jax.vmap(one)(states, draws)
    norms = jax.lax.cond(
      is_last,
      lambda: jax.vmap(norms_of)(states.params, gradient),
      lambda: norms,
    )
    return (new, norms), data_loss

  zeros = jnp.zeros(networks)
  (states, norms), losses = jax.lax.scan(
    body,
    (states, Norms(zeros, zeros)),
    (jnp.arange(steps) == steps - 1, draws),
  )
  return states, losses, norms


def _first_not_finite(losses: jax.Array, first_step: jax.Array) -> jax.Array:
  bad = ~jnp.isfinite(losses)
  return jnp.where(
    jnp.any(bad, axis=0), first_step + 1 + jnp.argmax(bad, axis=0), 0
  )
