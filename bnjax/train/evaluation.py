"""Loss and accuracy of many networks on held-out splits, in blocks."""

import itertools

import jax
import jax.numpy as jnp

from bnjax.train.losses import Sums
from bnjax.train.state import TrainState
from bnjax.train.step import Batch, Task, evaluate

BLOCK = 1000  # images at a time: bounds the memory of activations


def evaluate_splits(
  task: Task, states: TrainState, splits: list[Batch]
) -> list[Sums]:
  """Sums `[networks]` over each split, in inference mode.

  The blocks of all splits go through one compiled loop; the last block of a
  split is padded and masked, so every example counts once.
  """
  images = jnp.concatenate([split.images for split in splits])
  labels = jnp.concatenate([split.labels for split in splits])
  sizes = [split.labels.shape[0] for split in splits]
  block = min(BLOCK, max(sizes))
  rows, masks, ends = [], [], [0]
  for start, size in zip(
    itertools.accumulate([0, *sizes]), sizes, strict=False
  ):
    blocks = -(-size // block)
    places = jnp.arange(blocks * block).reshape(blocks, block)
    rows.append(start + jnp.minimum(places, size - 1))
    masks.append(places < size)
    ends.append(ends[-1] + blocks)

  def one_block(inputs: tuple[jax.Array, jax.Array]) -> Sums:
    rows, mask = inputs
    batch = Batch(images[rows], labels[rows], mask)
    return jax.vmap(lambda state: evaluate(task, state, batch))(states)

  sums = jax.lax.map(one_block, (jnp.concatenate(rows), jnp.concatenate(masks)))
  return [
    jax.tree.map(lambda x, a=a, b=b: jnp.sum(x[a:b], axis=0), sums)
    for a, b in itertools.pairwise(ends)
  ]
