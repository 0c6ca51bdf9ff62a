"""Many networks in one compiled program.

The networks lie along a leading axis of every array: the seeds of an arm, and
every hyperparameter that leaves the shapes alone. They are trained together
(`vmap`) or one after the other inside the program (`map`), whichever the model
runs faster with: vmapped convolutions are slow on a CPU.
"""

from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import optax

from bnjax.lab.train.batches import Draws, minibatch
from bnjax.lab.train.evaluation import BLOCK, evaluate_splits, probabilities
from bnjax.lab.train.loop import Training, train_steps
from bnjax.lab.train.losses import Sums
from bnjax.lab.train.population import with_population_statistics
from bnjax.lab.train.sharding import ONE_DEVICE, Layout
from bnjax.lab.train.state import TrainState
from bnjax.lab.train.step import (
  Batch,
  Task,
  evaluate as evaluate_one,
  init_state,
)

# Values that differ between the networks of a program: `[networks]` each, by
# the dotted name of the config's field.
_Hyper = dict[str, jax.Array]
Across = Literal["vmap", "map"]


class Splits(NamedTuple):
  """Training, validation and test set on the device."""

  train: Batch  #: images as `bnjax.lab.train.batches.as_words` gives them
  validation: Batch  #: images as they are
  test: Batch  #: likewise


class Evaluation(NamedTuple):
  """Sums over the held-out splits, and the norm of all parameters."""

  #: in inference mode, by the running statistics; None if not evaluated
  validation: Sums | None
  test: Sums | None  #: likewise
  #: by Algorithm 2's statistics; None if not asked for
  population_validation: Sums | None
  population_test: Sums | None  #: likewise
  param_norm: jax.Array  #: of all parameters


class Program(NamedTuple):
  """Compiled functions of many networks. The first argument is `hyper`."""

  init: Callable[..., TrainState]  #: (hyper, seeds `[networks]`) -> states
  #: (hyper, states, train, draws, which, first_step) -> (states, Training);
  #: trains for as many steps as there are draws. `draws` has a row per seed,
  #: `which` `[networks]` says which is whose. The states are donated
  advance: Any
  #: (hyper, states, splits, draws, which) -> Evaluation; the draws are
  #: Algorithm 2's minibatches, None for none
  evaluate: Any
  evaluate_batch: Any  #: (hyper, states, batch) -> Sums over one batch
  #: (hyper, states, train, draws, which) -> the states with Algorithm 2's
  #: statistics
  with_population: Any
  norms: Any  #: (states) -> `[networks]`, of all parameters
  probabilities: Any  #: (hyper, states, images) -> `[networks, n, classes]`
  #: (hyper, states, batch) -> whatever the program's probe returns
  observe: Any


def make_program(
  make_task: Callable[[_Hyper], Task],
  *,
  image_shape: tuple[int, ...],
  across: Across = "vmap",
  layout: Layout = ONE_DEVICE,
  observe: Callable[[Task, TrainState, Batch], Any] | None = None,
) -> Program:
  """The program that trains networks that differ in seed and `_Hyper`.

  Args:
    make_task: from one network's values (scalars, traced) to its task.
    image_shape: of one image.
    across: how the networks are run.
    layout: where arrays lie; minibatches are divided over its devices.
    observe: what `Program.observe` computes of one network.
  """

  def each(function: Callable[..., Any], hyper: _Hyper, *batched: Any) -> Any:
    """What a function of a task and more gives for every network."""
    one = lambda hyper, *own: function(make_task(hyper), *own)
    if across == "map":
      return jax.lax.map(lambda all_own: one(*all_own), (hyper, *batched))
    return jax.vmap(one)(hyper, *batched)

  def batches_of(train: Batch | None) -> Callable[[Draws], Batch]:
    return lambda draw: minibatch(train, draw, image_shape, layout)

  def block(networks: int) -> int:
    together = networks if across == "vmap" else 1
    return max(100, BLOCK * 10 // max(10, together))

  def init(hyper: _Hyper, seeds: jax.Array) -> TrainState:
    one = lambda task, seed: init_state(task, jax.random.key(seed), image_shape)
    return each(one, hyper, seeds)

  def advance(
    hyper: _Hyper,
    states: TrainState,
    train: Batch | None,
    draws: Draws,
    which: jax.Array,
    first_step: jax.Array,
  ) -> tuple[TrainState, Training]:
    one = lambda task, state, draws: train_steps(
      task, state, draws, first_step, batches_of(train)
    )
    return each(one, hyper, states, _per_network(draws, which))

  def evaluate(
    hyper: _Hyper,
    states: TrainState,
    splits: Splits,
    draws: Draws | None,
    which: jax.Array,
  ) -> Evaluation:
    held_out = [splits.validation, splits.test]
    size = block(len(which))

    def one(task: Task, state: TrainState, draws: Draws | None) -> Evaluation:
      sums = evaluate_splits(task, state, held_out, block=size, layout=layout)
      population: list[Sums] | list[None] = [None, None]
      if draws is not None and not state.batch_stats:
        population = sums  # there is nothing to compute anew
      elif draws is not None:
        batch_of = batches_of(splits.train)
        other = with_population_statistics(task, state, draws, batch_of)
        population = evaluate_splits(
          task, other, held_out, block=size, layout=layout
        )
      norm = optax.tree.norm(state.params)
      return Evaluation(sums[0], sums[1], population[0], population[1], norm)

    own = None if draws is None else _per_network(draws, which)
    return each(one, hyper, states, own)

  def evaluate_batch(hyper: _Hyper, states: TrainState, batch: Batch) -> Sums:
    one = lambda task, state: evaluate_one(task, state, layout.divide(batch))
    return each(one, hyper, states)

  def with_population(
    hyper: _Hyper,
    states: TrainState,
    train: Batch | None,
    draws: Draws,
    which: jax.Array,
  ) -> TrainState:
    one = lambda task, state, draws: with_population_statistics(
      task, state, draws, batches_of(train)
    )
    return each(one, hyper, states, _per_network(draws, which))

  def all_probabilities(
    hyper: _Hyper, states: TrainState, images: jax.Array
  ) -> jax.Array:
    size = block(len(states.key))
    one = lambda task, state: probabilities(task, state, images, block=size)
    return each(one, hyper, states)

  def observe_all(hyper: _Hyper, states: TrainState, batch: Batch) -> Any:
    assert observe is not None
    one = lambda task, state: observe(task, state, batch)
    return each(one, hyper, states)

  return Program(
    layout.jit(init),
    layout.jit(advance, donate_argnums=1),
    layout.jit(evaluate),
    layout.jit(evaluate_batch),
    layout.jit(with_population),
    layout.jit(lambda states: jax.vmap(optax.tree.norm)(states.params)),
    layout.jit(all_probabilities),
    layout.jit(observe_all),
  )


def _per_network(draws: Draws, which: jax.Array) -> Draws:
  """From `[steps, seeds, ...]` to `[networks, steps, ...]`."""
  take = lambda x: jnp.moveaxis(x[:, which], 1, 0)
  return jax.tree.map(take, draws)
