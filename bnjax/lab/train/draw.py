"""The random draws of a run of steps, made on the device in one program."""

import functools
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from bnjax.lab.train.step import BATCHES, DROPOUT, Batch

# (key, first_step, steps, *, size, batch_size) -> indices, mask or None
Sampler = Callable[..., tuple[jax.Array, jax.Array | None]]


_INDICES = 1 << 22  # drawn at a time: 16 MB


class Draws(NamedTuple):
  """What some steps of some networks draw; axes `[steps, networks, ...]`.

  Attributes:
    rows: `[steps, networks, batch]`, indices of each minibatch's examples.
    masks: like `rows`, False where a row is padding; None: there is none.
    dropout_keys: `[steps, networks]` of random keys.
    batches: of data that is read while it is used, the minibatches
      themselves, `[steps, networks, batch, ...]`, their images as
      `bnjax.lab.train.images.as_words` gives them; there are no rows then.
  """

  rows: jax.Array | None
  masks: jax.Array | None
  dropout_keys: jax.Array
  batches: Batch | None = None


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
    sampler: an entry of `bnjax.lab.data.batches.SAMPLERS`.
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
    return Draws(rows, mask, _dropout_keys(key, first_step, steps))

  return jax.vmap(one, out_axes=1)(keys)


@functools.partial(jax.jit, static_argnames="steps")
def dropout_keys(
  keys: jax.Array, first_step: jax.Array, *, steps: int
) -> jax.Array:
  """The `[steps, networks]` keys of `draw`, alone."""
  one = lambda key: _dropout_keys(key, first_step, steps)
  return jax.vmap(one, out_axes=1)(keys)


def _dropout_keys(
  key: jax.Array, first_step: jax.Array, steps: int
) -> jax.Array:
  dropout_key = jax.random.fold_in(key, DROPOUT)
  fold = functools.partial(jax.random.fold_in, dropout_key)
  return jax.vmap(fold)(first_step + jnp.arange(steps))


def draw_in_chunks(
  keys: jax.Array, steps: int, every: int, first: int = 0, **how: Any
) -> Iterator[tuple[int, Draws]]:
  """The draws of a run, `every` steps at a time.

  Args:
    keys: the networks' keys.
    steps: of the run.
    every: steps in a chunk; the last chunk may be shorter.
    first: number of the step to begin with, a multiple of `every`.
    **how: the keyword arguments of `draw`, but `steps`.

  Yields:
    The number of a chunk's first step, and its draws. Many chunks are drawn at
    once, since a fixed shuffle costs as much for one as for all.
  """
  indices = every * len(keys) * how["batch_size"]
  span = every * max(1, _INDICES // indices)
  for start in range(first // span * span, steps, span):
    end = min(start + span, steps)
    drawn = draw(keys, jnp.int32(start), steps=end - start, **how)
    for begin in range(max(start, first), end, every):
      part = slice(begin - start, min(begin + every, end) - start)
      yield begin, jax.tree.map(lambda x, part=part: x[part], drawn)
