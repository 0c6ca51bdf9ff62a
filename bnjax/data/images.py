"""Decoded images at any rows of a split that is read while it is used."""

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np

from bnjax.data.records import Records, decode_image

Prepare = Callable[[bytes, np.random.Generator], np.ndarray]
_IMAGES = 2  # what a seed is used for, see `bnjax.data.stream`


@dataclasses.dataclass(frozen=True)
class Images:
  """Reads and decodes the rows that a sampler drew.

  Attributes:
    records: the encoded examples.
    prepare: makes an image of the encoded one, all of one shape; what it draws
      depends on the seed, the step and the place in the minibatch alone. None
      decodes, and that is all.
  """

  records: Records
  prepare: Prepare | None = None

  def __len__(self) -> int:
    """Number of examples."""
    return len(self.records)

  def read(
    self, rows: Sequence[int], *, seed: int = 0, step: int = 0, first: int = 0
  ) -> tuple[np.ndarray, np.ndarray]:
    """The images and labels of a minibatch.

    Args:
      rows: places in [0, len), in any order.
      seed: of the network; at least 0.
      step: of training.
      first: place of the first row in the whole minibatch, where several
        processes read a share each.

    Returns:
      uint8 [rows, height, width, channels], int32 [rows].
    """
    encoded, labels = self.records.read(rows)
    images = [
      self._image(one, (seed, _IMAGES, step, first + place))
      for place, one in enumerate(encoded)
    ]
    return np.stack(images), labels

  def _image(self, encoded: bytes, entropy: Sequence[int]) -> np.ndarray:
    if self.prepare is None:
      return decode_image(encoded, self.records.channels)
    bits = np.random.PCG64(np.random.SeedSequence(entropy))
    return self.prepare(encoded, np.random.Generator(bits))


__all__ = ["Images", "Prepare"]
