"""One network on held-out splits, in blocks that bound the memory."""

import itertools
from typing import Any

import jax
import jax.numpy as jnp

from bnjax.lab.train.losses import Sums
from bnjax.lab.train.sharding import ONE_DEVICE, Layout
from bnjax.lab.train.state import TrainState
from bnjax.lab.train.step import Batch, Task, evaluate, predict

BLOCK = 1000  # images at a time: bounds the memory of activations


def evaluate_splits(
  task: Task,
  state: TrainState,
  splits: list[Batch],
  *,
  block: int = BLOCK,
  layout: Layout = ONE_DEVICE,
) -> list[Sums]:
  """Sums over each split, in inference mode.

  The blocks of all splits go through one compiled loop; the last block of a
  split is padded and masked, so every example counts once.
  """
  images = jnp.concatenate([split.images for split in splits])
  labels = jnp.concatenate([split.labels for split in splits])
  sizes = [split.labels.shape[0] for split in splits]
  block = -(-min(block, max(sizes)) // layout.devices) * layout.devices
  rows, masks, ends = [], [], [0]
  for start, size in zip(
    itertools.accumulate([0, *sizes]), sizes, strict=False
  ):
    taken, mask = _blocks(size, block)
    rows.append(start + taken)
    masks.append(mask)
    ends.append(ends[-1] + len(taken))

  def one_block(inputs: tuple[jax.Array, jax.Array]) -> Sums:
    rows, mask = layout.divide(inputs)
    batch = layout.divide(Batch(images[rows], labels[rows], mask))
    return evaluate(task, state, batch)

  sums = jax.lax.map(one_block, (jnp.concatenate(rows), jnp.concatenate(masks)))
  return [
    jax.tree.map(lambda x, a=a, b=b: jnp.sum(x[a:b], axis=0), sums)
    for a, b in itertools.pairwise(ends)
  ]


def probabilities(
  task: Task, state: TrainState, images: jax.Array, *, block: int = BLOCK
) -> jax.Array:
  """Class probabilities `[n, classes]` in inference mode."""
  rows, _ = _blocks(len(images), min(block, len(images)))
  each: Any = jax.lax.map(
    lambda rows: jax.nn.softmax(predict(task, state, images[rows])), rows
  )
  return each.reshape(-1, each.shape[-1])[: len(images)]


def _blocks(size: int, block: int) -> tuple[jax.Array, jax.Array]:
  """Rows `[blocks, block]` that cover `size`, and which of them count."""
  places = jnp.arange(-(-size // block) * block).reshape(-1, block)
  return jnp.minimum(places, size - 1), places < size
