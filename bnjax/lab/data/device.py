"""Batches on their way to the device while the one before is in use."""

import collections
from collections.abc import Iterator
from typing import Any, Protocol

import jax


class _Resumable(Protocol):
  def __next__(self) -> Any: ...
  def get_state(self) -> Any: ...
  def set_state(self, state: Any) -> None: ...


class ToDevice(Iterator[Any]):
  """Copies batches to the device ahead of their use.

  Copies are asynchronous: while a step computes, the next batches travel.

  Args:
    batches: Iterator of trees of NumPy arrays, such as a `Stream`.
    ahead: Batches on the device beside the one in use.
    sharding: Where they go; by default the default device. With one that
      spans several processes each gives its own share of the batch.
  """

  def __init__(
    self,
    batches: _Resumable,
    *,
    ahead: int = 1,
    sharding: jax.sharding.Sharding | None = None,
  ) -> None:
    self._batches = batches
    self._ahead = ahead
    self._sharding = sharding
    self._queue: collections.deque[tuple[Any, Any]] = collections.deque()
    self._state: Any = batches.get_state()

  def __next__(self) -> Any:
    """The next batch, as `jax.Array`s."""
    while len(self._queue) <= self._ahead:
      try:
        batch = next(self._batches)
      except StopIteration:
        break
      self._queue.append((self._put(batch), self._batches.get_state()))
    if not self._queue:
      raise StopIteration
    batch, self._state = self._queue.popleft()
    return batch

  def get_state(self) -> Any:
    """The state after the last batch handed out, whatever was read ahead."""
    return self._state

  def set_state(self, state: Any) -> None:
    """Forgets what was read ahead and goes on from `state`."""
    self._batches.set_state(state)
    self._queue.clear()
    self._state = self._batches.get_state()

  def _put(self, batch: Any) -> Any:
    if self._sharding is None:
      return jax.device_put(batch)
    return jax.tree.map(
      lambda x: jax.make_array_from_process_local_data(self._sharding, x),
      batch,
    )
