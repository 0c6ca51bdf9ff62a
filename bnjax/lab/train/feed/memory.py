"""Training and held-out examples that lie on the device."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from bnjax.lab import data
from bnjax.lab.data.batches import SAMPLERS
from bnjax.lab.train.batches import (
  Draws,
  as_images,
  as_words,
  draw,
  draw_in_chunks,
)
from bnjax.lab.train.program import Evaluation, Program, Splits
from bnjax.lab.train.sharding import Layout
from bnjax.lab.train.step import POPULATION, Batch


class Networks(NamedTuple):
  """The networks of one program, which share their examples."""

  seeds: Sequence[int]  #: the distinct ones
  keys: jax.Array  #: theirs
  which: jax.Array  #: `[networks]`, whose seed is each network's


class Chunk(NamedTuple):
  """What one call of the program trains on."""

  first: int  #: number of its first step
  #: the training set; None where the draws hold the minibatches
  train: Batch | None
  draws: Draws  #: of its steps


class FromMemory:
  """Feeds from a data set on the device."""

  def __init__(self, dataset: data.Dataset, layout: Layout):
    train, *held_out = dataset.train, dataset.validation, dataset.test
    images = [as_words(train.images), *(split.images for split in held_out)]
    labels = [split.labels for split in (train, *held_out)]
    splits = map(Batch, *layout.place((images, labels)))
    self.splits = Splits(*splits)
    self.image_shape = train.images.shape[1:]
    self._size = len(train)

  def steps_at_once(self, spec: Mapping[str, Any], networks: int) -> int:
    """How many steps of that many seeds one chunk may have: any number."""
    del networks
    return max(1, int(spec["steps"]))

  def chunks(
    self, spec: Mapping[str, Any], fed: Networks, steps: int, done: int
  ) -> Iterator[Chunk]:
    """Chunks of that many steps, from step `done` to the end: rows."""
    how = self._how(spec)
    drawn = draw_in_chunks(fed.keys, spec["steps"], steps, done, **how)
    for first, draws in drawn:
      yield Chunk(first, self.splits.train, draws)

  def population(self, spec: Mapping[str, Any], fed: Networks) -> Chunk | None:
    """Algorithm 2's minibatches, the same at every evaluation: other rows."""
    count = spec["population_batches"]
    if not count:
      return None
    keys = jax.vmap(lambda key: jax.random.fold_in(key, POPULATION))(fed.keys)
    draws = draw(keys, jnp.int32(0), steps=count, **self._how(spec))
    return Chunk(0, self.splits.train, draws)

  def evaluate(
    self,
    program: Program,
    hyper: Any,
    states: Any,
    population: Chunk | None,
    which: jax.Array,
  ) -> Evaluation:
    """Sums over both held-out splits, in one call of the program."""
    draws = None if population is None else population.draws
    done: Evaluation = jax.device_get(
      program.evaluate(hyper, states, self.splits, draws, which)
    )
    return done

  def probabilities(
    self, program: Program, hyper: Any, states: Any
  ) -> np.ndarray:
    """`[networks, n, classes]` of the test set."""
    images = self.splits.test.images
    return np.asarray(program.probabilities(hyper, states, images))

  def first_examples(self, count: int, split: str = "train") -> Batch:
    """The first examples of a split, as images, not as words."""
    own: Batch = getattr(self.splits, split)
    rows = jnp.arange(min(count, len(own.labels)))
    images = own.images[rows]
    if split == "train":
      images = as_images(images, self.image_shape)
    return Batch(images, own.labels[rows])

  def _how(self, spec: Mapping[str, Any]) -> dict[str, Any]:
    return {
      "sampler": SAMPLERS[spec["sampler"]],
      "size": self._size,
      "batch_size": spec["batch_size"],
    }
