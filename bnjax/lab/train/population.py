"""A network with Algorithm 2's statistics in place of its running ones."""

import functools
import inspect
from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from bnjax.lab import registry
from bnjax.lab.errors import UserError
from bnjax.lab.train.batches import Draws
from bnjax.lab.train.state import TrainState
from bnjax.lab.train.step import (
  POPULATION,
  Batch,
  Task,
  preprocess,
  working_variables,
)
from bnjax.tools import recalibrate_stacked

# What norms call the weight of the old in a moving average.
_DECAYS = ("decay", "momentum")


def check_statistics(task: Task, state: TrainState, name: str) -> None:
  """Refuses norms whose statistics cannot be computed anew.

  Raises:
    UserError: it keeps running statistics by its own rule.
  """
  if state.batch_stats and _is_averaged(task) and _decay(task) is None:
    raise UserError(
      f"population_batches: the running statistics of norm.name={name!r} "
      f"cannot be computed anew: it takes neither {' nor '.join(_DECAYS)}, "
      "which at 0 leaves a batch's own; set population_batches to 0"
    )


def with_population_statistics(
  task: Task,
  state: TrainState,
  draws: Draws,
  batch_of: Callable[[Draws], Batch],
) -> TrainState:
  """The state with statistics of some minibatches at its own parameters.

  Args:
    task: what is trained, passed by `check_statistics`.
    state: of one network; without running statistics it stays as it is.
    draws: the minibatches, of one network: `rows` `[batches, batch]`.
    batch_of: the minibatch of one of them.

  Returns:
    The state with `batch_stats` by the paper's Algorithm 2, lines 8 to 10:
    every norm normalizes by the minibatch, without dropout. Of batch norms they
    are the means of the minibatches' means and unbiased variances, of other
    norms (and by the estimator "biased") the means of what each minibatch
    leaves.
  """
  if not state.batch_stats:
    return state

  def call(model: Any, draw: Draws) -> Any:
    batch = batch_of(draw)
    images = preprocess(task, batch.images)
    return model(images, train=False, mask=batch.mask)

  variables = working_variables(task, state)
  if _is_averaged(task):
    averaged = _averaged(task, variables, draws, call, state.key)
    return state._replace(batch_stats=averaged)
  recalibrated = recalibrate_stacked(
    task.model, variables, draws, call=call, estimator="paper"
  )
  return state._replace(batch_stats=recalibrated["batch_stats"])


def _averaged(
  task: Task, variables: Any, draws: Draws, call: Any, key: jax.Array
) -> Any:
  """What each minibatch leaves where the old has no weight, on average."""
  model: Any = task.model
  forgetful = functools.partial(model.norm, **{_decay(task) or "": 0.0})
  run = nn.apply(call, model.clone(norm=forgetful), mutable=["batch_stats"])
  old = variables["batch_stats"]

  def add(sums: Any, inputs: tuple[Draws, jax.Array]) -> tuple[Any, None]:
    draw, key = inputs
    with nn.intercept_methods(by_batch):
      _, left = run(variables, draw, rngs={"noise": key})
    return jax.tree.map(jnp.add, sums, left["batch_stats"]), None

  zeros = jax.tree.map(jnp.zeros_like, old)
  count = jax.tree.leaves(draws)[0].shape[0]
  keys = jax.random.split(jax.random.fold_in(key, POPULATION), count)
  sums, _ = jax.lax.scan(add, zeros, (draws, keys))
  # What is counted, such as steps, is no average.
  mean = lambda s, o: s / count if jnp.issubdtype(o.dtype, jnp.inexact) else o
  return jax.tree.map(lambda s, o: mean(s, o).astype(o.dtype), sums, old)


def by_batch(
  method: Any,
  args: tuple[Any, ...],
  kwargs: dict[str, Any],
  context: nn.module.InterceptorContext,
) -> Any:
  """Calls a norm as in training, also where the model is in inference mode."""
  if context.method_name == "__call__":
    given = inspect.signature(context.orig_method).bind(*args, **kwargs)
    if "use_running_average" in given.arguments:
      given.arguments["use_running_average"] = False
      return method(*given.args, **given.kwargs)
  return method(*args, **kwargs)


def _is_averaged(task: Task) -> bool:
  """Whether what minibatches leave is averaged, not the moments of inputs.

  Those are a batch norm's, and Algorithm 2 is of them.
  """
  norm = getattr(task.model, "norm", None)
  known = norm is None or isinstance(norm(), nn.BatchNorm)
  return not known or task.population_estimator == "biased"


def _decay(task: Task) -> str | None:
  """The norm's name for the weight of the old in its statistics."""
  model: Any = task.model
  takes = registry.takes(model.norm)
  return next(filter(takes, _DECAYS), None)
