"""Training and held-out examples that lie on the device."""

from collections.abc import Iterator, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from bnjax.lab import data
from bnjax.lab.data.batches import SAMPLERS
from bnjax.lab.train.draw import draw, draw_in_chunks
from bnjax.lab.train.feed.feed import Chunk, Networks
from bnjax.lab.train.images import as_words, take
from bnjax.lab.train.program import Evaluation, Program, Splits
from bnjax.lab.train.sharding import Layout
from bnjax.lab.train.step import POPULATION, Batch


class FromMemory:
  """Feeds from a data set on the device.

  Args:
    dataset: in the host's memory.
    layout: where arrays lie.
  """

  def __init__(self, dataset: data.Dataset, layout: Layout):
    train, *held_out = dataset.train, dataset.validation, dataset.test
    images = [as_words(train.images), *(split.images for split in held_out)]
    labels = [split.labels for split in (train, *held_out)]
    splits = map(Batch, *layout.place((images, labels)))
    self.splits = Splits(*splits)
    self.image_shape = train.images.shape[1:]
    self._size = len(train)

  def steps_at_once(self, spec: Mapping[str, Any], networks: int) -> int:
    """Any number."""
    del networks
    return max(1, int(spec["steps"]))

  def chunks(
    self, spec: Mapping[str, Any], fed: Networks, steps: int, done: int
  ) -> Iterator[Chunk]:
    """Rows of the training set."""
    how = self._how(spec)
    drawn = draw_in_chunks(fed.keys, spec["steps"], steps, done, **how)
    for first, draws in drawn:
      yield Chunk(first, self.splits.train, draws)

  def population(self, spec: Mapping[str, Any], fed: Networks) -> Chunk | None:
    """Rows of the training set, other than training's."""
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
    """In one call of the program."""
    draws = None if population is None else population.draws
    done: Evaluation = jax.device_get(
      program.evaluate(hyper, states, self.splits, draws, which)
    )
    return done

  def probabilities(
    self, program: Program, hyper: Any, states: Any
  ) -> np.ndarray:
    """In one call of the program."""
    images = self.splits.test.images
    return np.asarray(program.probabilities(hyper, states, images))

  def first_examples(self, count: int) -> Batch:
    """As images, not as words."""
    train = self.splits.train
    rows = jnp.arange(min(count, self._size))
    return Batch(take(train.images, rows, self.image_shape), train.labels[rows])

  def _how(self, spec: Mapping[str, Any]) -> dict[str, Any]:
    return {
      "sampler": SAMPLERS[spec["sampler"]],
      "size": self._size,
      "batch_size": spec["batch_size"],
    }
