"""Which examples each step sees: pure functions of a key and the step.

Both samplers run inside a compiled program, over a chunk of steps at a time.
Step t's minibatch depends on the key and t alone, so the same steps drawn in
one chunk or in several, or after a restart, are the same. `first_step` may be
traced; `steps`, `size` and `batch_size` are static.
"""

import math
from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Int, Key

from bnjax.lab import errors

_Indices = Int[Array, "steps batch"]
_Mask = Bool[Array, "steps batch"]


def fixed(
  key: Key[Array, ""],
  first_step: Int[Array, ""] | int,
  steps: int,
  *,
  size: int,
  batch_size: int,
) -> tuple[_Indices, _Mask | None]:
  """Fixed minibatches, drawn with replacement: the published scheme.

  One shuffle cuts the data into ceil(size / batch_size) minibatches, and each
  step draws one of them uniformly, with replacement: the same examples always
  share a minibatch. The last minibatch may be short; its missing places hold
  a valid index and are masked out.

  Args:
    key: Typed key; a run's own.
    first_step: First step of the chunk.
    steps: Number of steps in the chunk.
    size: Number of training examples.
    batch_size: Examples in a full minibatch.

  Returns:
    int32 indices [steps, batch_size] in [0, size), and a mask of the same
    shape, or None where batch_size divides size and nothing is masked.

  Raises:
    UserError: batch_size is not in [1, size].

  Reference:
    A. Kristiadi, github.com/wiseodd/hipsternet at 54e0989, `solver.py`.
  """
  _check(size, batch_size)
  order_key, draw_key = jax.random.split(key)
  count = -(-size // batch_size)
  order = _shuffle(order_key, size)
  order = jnp.pad(order, (0, count * batch_size - size), mode="edge")

  def draw(step: Array) -> Array:
    # The remainder's bias, count / 2**32, is nothing; randint would take two
    # words to make it less, and twice the time to compile.
    bits = jax.random.bits(jax.random.fold_in(draw_key, step))
    return (bits % count).astype(jnp.int32)

  drawn = jax.vmap(draw)(first_step + jnp.arange(steps))
  indices = order.reshape(count, batch_size)[drawn]
  if count * batch_size == size:
    return indices, None
  present = jnp.arange(count * batch_size) < size
  return indices, present.reshape(count, batch_size)[drawn]


def epoch(
  key: Key[Array, ""],
  first_step: Int[Array, ""] | int,
  steps: int,
  *,
  size: int,
  batch_size: int,
) -> tuple[_Indices, None]:
  """Sampling without replacement: an endless stream of shuffled epochs.

  Epoch e's order is a shuffle by `fold_in(key, e)`; the epochs follow each
  other and minibatches are cut from the stream, across the seams, so every
  minibatch is full and every epoch holds each example once. Only the epochs
  that the chunk touches are shuffled.

  Returns:
    int32 indices [steps, batch_size] in [0, size), and None: no mask.
  """
  _check(size, batch_size)
  # A cycle is the shortest run of steps that ends at an epoch's end. Counting
  # in cycles keeps step * batch_size, which would overflow, out of sight.
  common = math.gcd(size, batch_size)
  cycle, start = jnp.divmod(first_step, size // common)
  passed, offset = jnp.divmod(start * batch_size, size)
  first_epoch = cycle * (batch_size // common) + passed
  touched = -(-(size - common + steps * batch_size) // size)

  def order(number: Array) -> Array:
    return _shuffle(jax.random.fold_in(key, number), size)

  stream = jax.vmap(order)(first_epoch + jnp.arange(touched)).reshape(-1)
  chunk = jax.lax.dynamic_slice(stream, (offset,), (steps * batch_size,))
  return chunk.reshape(steps, batch_size), None


SAMPLERS: dict[str, Callable[..., tuple[Array, Array | None]]] = {
  "fixed": fixed,
  "epoch": epoch,
}


def _shuffle(key: Key[Array, ""], size: int) -> Int[Array, " size"]:
  """A permutation of range(size), as `jax.random.permutation` but faster.

  XLA on CPU sorts one array of words five times as fast as keys with values,
  so each word holds random bits above a place. Sorting is then stable, and
  rounds of it are a radix sort by a long random key. There are as many rounds
  as give keys of 3 log2(size) bits, the rule of `jax.random.permutation`:
  equal keys, the only departure from uniform, are as rare as 1 / size.
  """
  place_bits = max(1, (size - 1).bit_length())
  if place_bits > 24:
    return jax.random.permutation(key, size)
  rounds = -(-3 * place_bits // (32 - place_bits))
  place = jnp.arange(size, dtype=jnp.uint32)
  order = place
  for bits in jax.random.bits(key, (rounds, size)):
    words = (bits << place_bits) | place
    order = order[jnp.sort(words) & ((1 << place_bits) - 1)]
  return order.astype(jnp.int32)


def _check(size: int, batch_size: int) -> None:
  if not 1 <= batch_size <= size:
    raise errors.UserError(
      f"batch_size: {batch_size} is not between 1 and the {size} training"
      " examples"
    )
