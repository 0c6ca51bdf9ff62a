"""What probes see of a network on a batch."""

from typing import Any

import jax

from bnjax.lab import probes
from bnjax.lab.train.state import TrainState
from bnjax.lab.train.step import (
  PROBES,
  Batch,
  Task,
  add_l2,
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
    train=True,
    rngs=step_rngs(jax.random.fold_in(state.key, PROBES)),
  )
