"""Training and held-out examples that are read while they are used."""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from bnjax.lab import data
from bnjax.lab.data.stream import Batches, Stream
from bnjax.lab.errors import UserError
from bnjax.lab.train.batches import Draws, as_words, dropout_keys
from bnjax.lab.train.feed.memory import Chunk, Networks
from bnjax.lab.train.program import Evaluation, Program
from bnjax.lab.train.sharding import Layout
from bnjax.lab.train.step import Batch

_BYTES = 64e6  # of images that are read for one call of the program
_FEW = 20_000  # images that take less time to read than a worker to start


class FromFiles:
  """Feeds from records that are read and decoded while they are used.

  Every seed has its own endless stream of shuffled epochs; each process reads
  its share of every minibatch. While the program runs, the next chunk is read.

  Args:
    files: of the data set.
    layout: where arrays lie.
    workers: processes that read and decode, for every seed.
  """

  def __init__(self, files: data.Files, layout: Layout, workers: int):
    self._files = files
    self._layout = layout
    self._workers = workers
    self.image_shape = files.spec.image_shape

  def steps_at_once(self, spec: Mapping[str, Any], networks: int) -> int:
    """As many as fit into some memory."""
    if spec["batch_size"] % self._layout.devices:
      raise UserError(
        f"batch_size: {spec['batch_size']} examples that are read while they "
        f"are used are not divided evenly by {self._layout.devices} devices"
      )
    image = int(np.prod(self.image_shape))
    return max(1, int(_BYTES / (image * spec["batch_size"] * networks)))

  def chunks(
    self, spec: Mapping[str, Any], fed: Networks, steps: int, done: int
  ) -> Iterator[Chunk]:
    """The minibatches themselves."""
    end = spec["steps"]
    if done >= end:
      return
    streams = [
      Stream(
        self._batches("train", spec["batch_size"], seed),
        step=done,
        workers=self._workers,
        ahead=4,
      )
      for seed in fed.seeds
    ]
    firsts = range(done, end, steps)
    read = lambda first: self._read(streams, min(steps, end - first))
    try:
      with ThreadPoolExecutor(max_workers=1) as reader:
        coming = reader.submit(read, done)
        for first in firsts:
          batches = coming.result()
          if first + steps < end:
            coming = reader.submit(read, first + steps)
          count = batches.labels.shape[0]
          keys = dropout_keys(fed.keys, jnp.int32(first), steps=count)
          yield Chunk(first, None, Draws(None, None, keys, batches))
    finally:
      for stream in streams:
        stream.close()

  def population(self, spec: Mapping[str, Any], fed: Networks) -> Chunk | None:
    """Minibatches of other epochs than training's, read once."""
    count = spec["population_batches"]
    if not count:
      return None
    with contextlib.ExitStack() as stack:
      streams = [
        stack.enter_context(
          Stream(self._batches("train", spec["batch_size"], seed))
        )
        for seed in ((seed + 2**31) % 2**32 for seed in fed.seeds)
      ]
      batches = self._read(streams, count)
    keys = dropout_keys(fed.keys, jnp.int32(0), steps=count)
    return Chunk(0, None, Draws(None, None, keys, batches))

  def evaluate(
    self,
    program: Program,
    hyper: Any,
    states: Any,
    population: Chunk | None,
    which: jax.Array,
  ) -> Evaluation:
    """Block by block."""
    found: dict[str, Any] = {}
    versions = {"": states}
    if population is not None:
      versions["population_"] = program.with_population(
        hyper, states, None, population.draws, which
      )
    for split in ("validation", "test"):
      totals: dict[str, Any] = {}
      for batch in self._blocks(split):
        for name, own in versions.items():
          sums = jax.device_get(program.evaluate_batch(hyper, own, batch))
          add = lambda a, b: np.asarray(a, np.float64) + b
          known = totals.get(name)
          totals[name] = (
            sums if known is None else jax.tree.map(add, known, sums)
          )
      found |= {f"{name}{split}": sums for name, sums in totals.items()}
    return Evaluation(
      validation=found["validation"],
      test=found["test"],
      population_validation=found.get("population_validation"),
      population_test=found.get("population_test"),
      param_norm=jax.device_get(program.norms(states)),
    )

  def probabilities(
    self, program: Program, hyper: Any, states: Any
  ) -> np.ndarray:
    """Block by block."""
    blocks = [
      np.asarray(program.probabilities(hyper, states, batch.images))
      for batch in self._blocks("test")
    ]
    return np.concatenate(blocks, axis=1)[:, : self._files.spec.test]

  def first_examples(self, count: int, split: str = "train") -> Batch:
    """Prepared as in evaluation: nothing about them is random."""
    count = min(count, getattr(self._files.spec, split))
    batches = self._files.batches(split, count, None)
    images, labels = (batches[0][name] for name in ("images", "labels"))
    return Batch(*self._layout.place((images, labels)))

  def _batches(self, split: str, size: int, seed: int | None) -> Batches:
    return self._files.batches(
      split, size, seed, jax.process_index(), jax.process_count()
    )

  def _blocks(self, split: str) -> Iterator[Batch]:
    """A held-out split in blocks of one size, the last one masked."""
    image = int(np.prod(self.image_shape))
    devices = self._layout.devices
    size = int(min(1000, _BYTES / image)) // devices * devices
    batches = self._batches(split, max(size, devices), None)
    workers = self._workers if len(batches.records) > _FEW else 0
    with Stream(batches, workers=workers) as stream:
      for batch in stream:
        parts = (batch["images"], batch["labels"], batch["mask"])
        yield Batch(*self._layout.share(parts, axis=0))

  def _read(self, streams: Sequence[Stream], steps: int) -> Batch:
    """`[steps, seeds, batch, ...]` of the next steps, on their way."""
    read = [[next(stream) for stream in streams] for _ in range(steps)]
    images = np.stack([[one["images"] for one in row] for row in read])
    labels = np.stack([[one["labels"] for one in row] for row in read])
    flat = images.reshape(-1, *self.image_shape)
    words = as_words(flat)
    words = words.reshape(*images.shape[:3], *words.shape[1:])
    return Batch(*self._layout.share((words, labels), axis=2))
