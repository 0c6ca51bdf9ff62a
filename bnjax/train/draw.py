"""What chance decides in a run of steps, drawn on the device beforehand."""

import functools
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

from bnjax.train.step import BATCHES, DROPOUT

# (key, first_step, steps, *, size, batch_size) -> indices, mask or None
Sampler = Callable[..., tuple[jax.Array, jax.Array | None]]


class Draws(NamedTuple):
  """What some steps of some networks draw; axes `[steps, networks, ...]`.

  Attributes:
    rows: `[steps, networks, batch]`, indices of each minibatch's examples.
    masks: like `rows`, False where a row is padding; None: there is none.
    dropout_keys: `[steps, networks]` of random keys.
  """

  rows: jax.Array
  masks: jax.Array | None
  dropout_keys: jax.Array


@functools.partial(
  jax.jit, static_argnames=("sampler", "steps", "size", "batch_size")
)
def draw(
  keys: jax.Array,
  first_step: jax.Array,
  *,
  sampler: Sampler,
  steps: int,
  size: int,
  batch_size: int,
) -> Draws:
  """Draws for `steps` steps of every network.

  A program of its own, so that arms which differ in the network share it:
  shuffling takes as long to compile as a training step.

  Args:
    keys: the networks' keys, `[networks]`.
    first_step: number of the first step; what a step draws depends on the key
      and the step's number alone.
    sampler: an entry of `bnjax.data.batches.SAMPLERS`.
    steps: how many.
    size: of the training set.
    batch_size: of a minibatch.
  """

  def one(key: jax.Array) -> Draws:
    rows, mask = sampler(
      jax.random.fold_in(key, BATCHES),
      first_step,
      steps,
      size=size,
      batch_size=batch_size,
    )
    dropout_key = jax.random.fold_in(key, DROPOUT)
    fold = functools.partial(jax.random.fold_in, dropout_key)
    return Draws(rows, mask, jax.vmap(fold)(first_step + jnp.arange(steps)))

  return jax.vmap(one, out_axes=1)(keys)
