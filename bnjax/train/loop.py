"""Many networks, many steps, one compiled program.

The networks of an arm (its seeds) lie along a leading axis and are `vmap`ped;
the steps between two evaluations are one `lax.scan`. Minibatches are drawn on
the device. The host gets a handful of numbers per network and chunk.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from bnjax.train.losses import Sums, l2_penalty
from bnjax.train.state import TrainState
from bnjax.train.step import (
  BATCHES,
  DROPOUT,
  Batch,
  Task,
  add_l2,
  evaluate,
  init_state,
  train_step,
)

# (key, first_step, steps, *, size, batch_size) -> indices, mask or None
Sampler = Callable[..., tuple[jax.Array, jax.Array | None]]

EVALUATION_BLOCK = 1000  # images at a time: bounds the memory of activations


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
  """Training, validation and test set on the device, uint8."""

  train: Batch
  validation: Batch
  test: Batch


class Program(NamedTuple):
  """The compiled functions that train the networks of one arm.

  Attributes:
    init: seeds `[networks]` -> states.
    chunk: (states, splits, first_step, steps) -> (states, metrics); `steps` is
      static, the states are donated.
  """

  init: Callable[..., TrainState]
  chunk: Any  # jitted


def make_program(
  task: Task,
  sampler: Sampler,
  *,
  batch_size: int,
  image_shape: tuple[int, ...],
) -> Program:
  """The program that trains networks of `task` from any number of seeds."""

  def init(seeds: jax.Array) -> TrainState:
    one = lambda seed: init_state(task, jax.random.key(seed), image_shape)
    return jax.vmap(one)(seeds)

  def chunk(
    states: TrainState, splits: Splits, first_step: jax.Array, steps: int
  ) -> tuple[TrainState, Metrics]:
    states, losses, norms = advance(
      task, sampler, states, splits.train, first_step, steps, batch_size
    )
    return states, Metrics(
      data_loss=losses[-1],
      l2_loss=task.l2 * norms.penalty,
      grad_norm=norms.gradient,
      param_norm=norms.params,
      validation=evaluate_split(task, states, splits.validation),
      test=evaluate_split(task, states, splits.test),
      diverged_step=_first_not_finite(losses, first_step),
    )

  return Program(
    jax.jit(init), jax.jit(chunk, static_argnums=3, donate_argnums=0)
  )


class Norms(NamedTuple):
  """Of one step: `½ Σ w²`, norms of the gradient and the new parameters."""

  penalty: jax.Array
  gradient: jax.Array
  params: jax.Array


def advance(
  task: Task,
  sampler: Sampler,
  states: TrainState,
  train: Batch,
  first_step: jax.Array,
  steps: int,
  batch_size: int,
) -> tuple[TrainState, jax.Array, Norms]:
  """Trains all networks for some steps.

  Returns:
    The states, the data losses `[steps, networks]`, the last step's norms.
  """
  numbers = first_step + jnp.arange(steps)
  draw = lambda key: sampler(
    jax.random.fold_in(key, BATCHES),
    first_step,
    steps,
    size=train.labels.shape[0],
    batch_size=batch_size,
  )
  indices, masks = jax.vmap(draw, out_axes=1)(states.key)
  dropout_keys = jax.vmap(_keys_of_steps, (0, None), 1)(states.key, numbers)
  last = first_step + steps - 1

  def norms_of(params: Any, gradient: Any, new_params: Any) -> Norms:
    return Norms(
      l2_penalty(params),
      optax.tree.norm(add_l2(task, gradient, params)),
      optax.tree.norm(new_params),
    )

  def body(carry: Any, inputs: Any) -> tuple[Any, jax.Array]:
    states, norms = carry
    step, indices, masks, keys = inputs

    def one(state: Any, rows: jax.Array, mask: Any, key: jax.Array) -> Any:
      batch = Batch(train.images[rows], train.labels[rows], mask)
      return train_step(task, state, key, batch)

    new, data_loss, gradient = jax.vmap(one)(states, indices, masks, keys)
    norms = jax.lax.cond(
      step == last,
      lambda: jax.vmap(norms_of)(states.params, gradient, new.params),
      lambda: norms,
    )
    return (new, norms), data_loss

  zeros = jnp.zeros(states.key.shape[0])
  (states, norms), losses = jax.lax.scan(
    body,
    (states, Norms(zeros, zeros, zeros)),
    (numbers, indices, masks, dropout_keys),
  )
  return states, losses, norms


def _keys_of_steps(key: jax.Array, steps: jax.Array) -> jax.Array:
  key = jax.random.fold_in(key, DROPOUT)
  return jax.vmap(lambda step: jax.random.fold_in(key, step))(steps)


def evaluate_split(task: Task, states: TrainState, split: Batch) -> Sums:
  """Sums over a split, `[networks]`, in blocks of bounded memory."""
  size = split.labels.shape[0]
  block = min(size, EVALUATION_BLOCK)
  blocks = -(-size // block)
  indices = jnp.arange(blocks * block).reshape(blocks, block)

  def one_block(indices: jax.Array) -> Sums:
    rows = jnp.minimum(indices, size - 1)
    batch = Batch(split.images[rows], split.labels[rows], indices < size)
    return jax.vmap(lambda state: evaluate(task, state, batch))(states)

  sums = jax.lax.map(one_block, indices)
  return jax.tree.map(lambda x: jnp.sum(x, axis=0), sums)


def _first_not_finite(losses: jax.Array, first_step: jax.Array) -> jax.Array:
  bad = ~jnp.isfinite(losses)
  return jnp.where(
    jnp.any(bad, axis=0), first_step + 1 + jnp.argmax(bad, axis=0), 0
  )
