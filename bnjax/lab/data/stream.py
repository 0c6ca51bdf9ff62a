"""Batches of a data set that is read while it is used, not held in memory.

What a batch holds is a pure function of the seed and the step: neither the
number of worker processes nor the number of machines that share a batch has a
part in it, so a run that stopped goes on with the same batches elsewhere.
Only the parallel reading is grain's, https://google-grain.readthedocs.io: its
shuffle walks one sequence of orders from seed to seed, so that seed 1 would
repeat the orders of seed 0 an epoch early.
"""

import dataclasses
import functools
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any, Self

import numpy as np

from bnjax.lab import errors
from bnjax.lab.data.records import Records, decode_image

Batch = dict[str, np.ndarray]
Prepare = Callable[[bytes, np.random.Generator], np.ndarray]

_ORDER, _EXAMPLE = 0, 1  # what a seed is used for


@dataclasses.dataclass(frozen=True)
class Batches:
  """The batches of this process, by step: a pure function with a length.

  Example e of step t stands at position t * batch_size + e of an endless
  stream of shuffled epochs; each process reads its share of every batch.

  Attributes:
    records: The examples.
    batch_size: Examples of a step, over all processes.
    seed: In [0, 2**32), shuffles and augments; None for one pass in order, as
      an evaluation needs it. A last short batch is then filled up, and every
      batch has a `mask` that is False at what was added.
    prepare: Makes an image of the encoded one: `(bytes, generator) -> uint8
      [height, width, channels]`, all of one shape. The generator depends on
      the seed and the position alone. None decodes, and that is all.
    process_index: Which process this is.
    process_count: How many share a batch.

  Raises:
    UserError: A number is out of its range, or batch_size is not a multiple of
      process_count.
  """

  records: Records
  batch_size: int
  seed: int | None
  prepare: Prepare | None = None
  process_index: int = 0
  process_count: int = 1

  def __post_init__(self) -> None:
    size, count = len(self.records), self.process_count
    if self.batch_size < 1 or (
      self.seed is not None and self.batch_size > size
    ):
      raise errors.UserError(
        f"batch_size: {self.batch_size} is not between 1 and the {size}"
        " training examples"
      )
    if self.batch_size % count:
      raise errors.UserError(
        f"batch_size: {self.batch_size} is not a multiple of the {count}"
        " processes that share it"
      )
    if not 0 <= self.process_index < count:
      raise errors.UserError(
        f"process_index: {self.process_index} is not below {count} processes"
      )
    if self.seed is not None and not 0 <= self.seed < 2**32:
      raise errors.UserError(f"seed: {self.seed} is not in [0, 2**32)")

  def __len__(self) -> int:
    """Number of steps; as good as endless where there is a seed."""
    if self.seed is not None:
      return sys.maxsize
    return -(-len(self.records) // self.batch_size)

  def __getitem__(self, step: int) -> Batch:
    """Reads and decodes a batch.

    Args:
      step: At least 0.

    Returns:
      `images` uint8 [b, height, width, channels] and `labels` int32 [b], where
      b = batch_size / process_count; without a seed `mask` bool [b] as well.
    """
    share = self.batch_size // self.process_count
    first = step * self.batch_size + self.process_index * share
    positions = np.arange(first, first + share)
    encoded, labels = self.records.read(self._rows(positions))
    images = np.stack(
      [
        self._image(one, position)
        for one, position in zip(encoded, positions.tolist(), strict=True)
      ]
    )
    batch = {"images": images, "labels": labels}
    if self.seed is None:
      batch["mask"] = positions < len(self.records)
    return batch

  def _rows(self, positions: np.ndarray) -> list[int]:
    size = len(self.records)
    if self.seed is None:
      return np.minimum(positions, size - 1).tolist()
    epochs, places = np.divmod(positions, size)
    return [
      int(_order(self.seed, epoch, size)[place])
      for epoch, place in zip(epochs.tolist(), places.tolist(), strict=True)
    ]

  def _image(self, encoded: bytes, position: int) -> np.ndarray:
    if self.prepare is None:
      return decode_image(encoded, self.records.channels)
    entropy = (self.seed or 0, _EXAMPLE, position)
    bits = np.random.PCG64(np.random.SeedSequence(entropy))
    return self.prepare(encoded, np.random.Generator(bits))


@functools.lru_cache(maxsize=4)
def _order(seed: int, epoch: int, size: int) -> np.ndarray:
  """An epoch's order, from raw bits: NumPy promises these will not change."""
  bits = np.random.PCG64(np.random.SeedSequence((seed, _ORDER, epoch)))
  return np.argsort(bits.random_raw(size), kind="stable")


class Stream(Iterator[Batch]):
  """Reads batches ahead, in threads or in worker processes, in their order.

  Nothing starts before the first batch is asked for. Worker processes are
  started anew (not forked, which JAX does not bear): a script that uses them
  guards its entry by `if __name__ == "__main__"`.

  Args:
    batches: What to read.
    step: Step to begin with.
    workers: Worker processes; 0 reads in threads of this one. Decoding with
      PIL is half Python, so threads help little beyond reading ahead.
    ahead: Batches kept ready by each worker, or by this process without any.

  Raises:
    UserError: A number is negative, or grain is not installed.

  Example:
    >>> from bnjax.lab import data
    >>> def train(step, batch): ...
    >>> def run(seed, step=0):
    ...   batches = Batches(data.open_records("mnist", "train"), 256, seed)
    ...   with Stream(batches, step=step, workers=2) as stream:
    ...     for step in range(step, 1000):
    ...       train(step, next(stream))
  """

  def __init__(
    self, batches: Batches, *, step: int = 0, workers: int = 0, ahead: int = 2
  ) -> None:
    for name, value in (("step", step), ("workers", workers)):
      if value < 0:
        raise errors.UserError(f"{name}: {value} is negative")
    if ahead < 1:
      raise errors.UserError(f"ahead: {ahead} is too small; at least 1")
    try:
      import grain  # noqa: F401
    except ImportError as error:
      raise errors.UserError(
        "dataset.name: reading a data set while it is used needs the package"
        " grain; pip install 'bnjax[lab]'"
      ) from error
    batches.records.check()
    self._batches = batches
    self._workers = workers
    self._ahead = ahead
    self._step = step
    self._iterator: Any = None

  def __next__(self) -> Batch:
    """The next batch; ends after one pass where there is no seed."""
    try:
      if self._iterator is None:
        self._iterator = self._start()
      batch = next(self._iterator)
    except Exception as error:
      # By name: absl is grain's, not ours. Its flags are parsed in a script;
      # grain 0.2.18 asks for one anywhere, which google/grain#1361 mends.
      if type(error).__name__ != "UnparsedFlagAccessError":
        raise
      raise errors.UserError(
        "workers: grain starts worker processes only where absl has parsed its"
        " flags; outside of absl.app.run call"
        " absl.flags.FLAGS.mark_as_parsed() first, or use workers=0"
      ) from error
    self._step += 1
    if self._workers:
      # Out of memory shared with the worker, which is scarce and which JAX on
      # CPU would go on using as its own.
      batch = {name: np.array(value) for name, value in batch.items()}
    return batch

  def close(self) -> None:
    """Stops threads and worker processes; the next batch starts them again."""
    if self._iterator is not None:
      self._iterator.close()
      self._iterator = None

  def __enter__(self) -> Self:
    return self

  def __exit__(self, *error: object) -> None:
    self.close()

  def _start(self) -> Iterator[Batch]:
    import grain

    rest = grain.MapDataset.source(self._batches)[self._step :]
    # One thread: several would decode in turns.
    read = grain.ReadOptions(num_threads=1, prefetch_buffer_size=self._ahead)
    options = grain.MultiprocessingOptions(
      num_workers=self._workers, per_worker_buffer_size=self._ahead
    )
    return iter(rest.to_iter_dataset(read).mp_prefetch(options, _follow))


def _follow(worker: int, workers: int) -> None:
  """Has a worker leave Ctrl-C to the process that reads, and end with it."""
  signal.signal(signal.SIGINT, signal.SIG_IGN)
  reads = multiprocessing.parent_process()
  if reads is None:
    return

  def end() -> None:
    reads.join()
    os._exit(1)

  threading.Thread(target=end, daemon=True).start()
