"""Many steps of one network, as one scan: the inner loop of every experiment.

Pure functions of one network; `bnjax.lab.train.program` maps them over many.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from bnjax.lab.train.batches import Draws
from bnjax.lab.train.losses import l2_penalty
from bnjax.lab.train.state import TrainState
from bnjax.lab.train.step import Batch, Task, add_l2, train_step


class Training(NamedTuple):
  """What is recorded of a run of steps, one number a network."""

  #: loss of the last step's minibatch before its update, nats
  data_loss: jax.Array
  l2_loss: jax.Array  #: the L2 term of the loss at the same parameters
  grad_norm: jax.Array  #: norm of the gradient of their sum
  mean_loss: jax.Array  #: mean of the data losses over all of the steps
  #: mean over the steps of the share of their minibatch that was classified
  #: correctly, before the update; NaN where nothing is classified
  mean_accuracy: jax.Array
  #: the first step whose data loss was not finite, counted from 1 at the start
  #: of training; 0 where there was none
  diverged_step: jax.Array


class _Norms(NamedTuple):
  """`½ Σ w²` and the norm of the loss's gradient, before a step's update."""

  penalty: jax.Array
  gradient: jax.Array


def train_steps(
  task: Task,
  state: TrainState,
  draws: Draws,
  first_step: jax.Array,
  batch_of: Callable[[Draws], Batch],
) -> tuple[TrainState, Training]:
  """Trains one network for as many steps as there are draws.

  Args:
    task: what is trained.
    state: before the first of the steps.
    draws: what each step draws, axes `[steps, ...]`.
    first_step: number of the first step.
    batch_of: the minibatch of one step's draw.

  Returns:
    The state after the last step, and what is recorded of them.
  """
  steps = draws.dropout_keys.shape[0]

  def norms_of(params: Any, gradient: Any) -> _Norms:
    whole = add_l2(task, gradient, params)
    return _Norms(l2_penalty(params), optax.tree.norm(whole))

  def body(carry: Any, inputs: Any) -> tuple[Any, tuple[jax.Array, jax.Array]]:
    state, norms = carry
    is_last, draw = inputs
    batch = batch_of(draw)
    new, sums, gradient = train_step(task, state, draw.dropout_keys, batch)
    norms = jax.lax.cond(
      is_last, lambda: norms_of(state.params, gradient), lambda: norms
    )
    correct = jnp.float32(jnp.nan) if sums.correct is None else sums.correct
    return (new, norms), (sums.loss / sums.examples, correct / sums.examples)

  zeros = jax.tree.map(
    lambda x: jnp.zeros(x.shape, x.dtype),
    jax.eval_shape(norms_of, state.params, state.params),
  )
  is_last = jnp.arange(steps) == steps - 1
  (state, norms), (losses, accuracies) = jax.lax.scan(
    body, (state, zeros), (is_last, draws)
  )
  return state, Training(
    data_loss=losses[-1],
    l2_loss=task.l2 * norms.penalty,
    grad_norm=norms.gradient,
    mean_loss=jnp.mean(losses),
    mean_accuracy=jnp.mean(accuracies),
    diverged_step=_first_not_finite(losses, first_step),
  )


def _first_not_finite(losses: jax.Array, first_step: jax.Array) -> jax.Array:
  bad = ~jnp.isfinite(losses)
  return jnp.where(jnp.any(bad), first_step + 1 + jnp.argmax(bad), 0)
