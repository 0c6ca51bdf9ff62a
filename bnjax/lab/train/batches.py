"""What each step sees: random draws on the device, and minibatches by them."""

import functools
import math
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from bnjax.lab.train.sharding import Layout
from bnjax.lab.train.step import BATCHES, DROPOUT, Batch

# (key, first_step, steps, *, size, batch_size) -> indices, mask or None
_Sampler = Callable[..., tuple[jax.Array, jax.Array | None]]

_INDICES = 1 << 22  # drawn at a time: 16 MB


class Draws(NamedTuple):
  """What some steps of some networks draw; axes `[steps, networks, ...]`."""

  #: `[steps, networks, batch]`, indices of each minibatch's examples
  rows: jax.Array | None
  #: like `rows`, False where a row is padding; None: there is none
  masks: jax.Array | None
  dropout_keys: jax.Array  #: `[steps, networks]` of random keys
  #: of data that is read while it is used, the minibatches themselves, `[steps,
  #: networks, batch, ...]`, their images of `as_words`; there are no rows then
  batches: Batch | None = None


@functools.partial(
  jax.jit, static_argnames=("sampler", "steps", "size", "batch_size")
)
def draw(
  keys: jax.Array,
  first_step: jax.Array,
  *,
  sampler: _Sampler,
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
  """The draws of a run, `every` steps at a time; the last may be fewer.

  Args:
    keys: the networks' keys.
    steps: of the run.
    every: steps in a chunk.
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


def minibatch(
  train: Batch | None,
  draw: Draws,
  image_shape: tuple[int, ...],
  layout: Layout,
) -> Batch:
  """One minibatch of one network.

  Args:
    train: the training set, its images of `as_words`; None where the minibatch
      is in the draw.
    draw: of one step of one network.
    image_shape: of one image.
    layout: divides the minibatch over devices.
  """
  if draw.batches is not None:
    words, labels, mask = layout.divide(draw.batches)
    return Batch(as_images(words, image_shape), labels, mask)
  assert train is not None
  assert draw.rows is not None
  rows, mask = layout.divide(_whole(draw.rows, draw.masks, layout.devices))
  images = as_images(train.images[rows], image_shape)
  divided: Batch = layout.divide(Batch(images, train.labels[rows], mask))
  return divided


def _whole(
  rows: jax.Array, mask: jax.Array | None, devices: int
) -> tuple[jax.Array, jax.Array | None]:
  """Rows that the devices share evenly, and which of them count.

  Dropout draws for the rows that are added too, so its masks are then other
  ones than on one device.
  """
  size = rows.shape[0]
  short = -size % devices
  if not short:
    return rows, mask
  if mask is None:
    mask = jnp.ones(size, bool)
  return jnp.pad(rows, (0, short)), jnp.pad(mask, (0, short))


def as_words(images: np.ndarray) -> np.ndarray:
  """A view of uint8 images `[n, ...]` as uint32 `[n, words]`.

  XLA on CPU copies rows value by value: a row of words is copied in half the
  time of the same row in bytes. Where the bytes of an image do not divide by
  4, or values are not bytes, the images come back as they are.
  """
  if images.dtype != np.uint8 or math.prod(images.shape[1:]) % 4:
    return images
  rows = np.ascontiguousarray(images).reshape(len(images), -1)
  return rows.view(np.uint32)


def as_images(words: jax.Array, shape: tuple[int, ...]) -> jax.Array:
  """What `as_words` made words of: `[..., words]` as `[..., *shape]`."""
  leading = words.shape[:-1]
  if words.dtype == jnp.uint32:
    return jax.lax.bitcast_convert_type(words, jnp.uint8).reshape(
      *leading, *shape
    )
  return words.reshape(*words.shape[: words.ndim - len(shape)], *shape)
