"""Random access to encoded examples, for data sets too large for memory."""

import dataclasses
import functools
import io
import pathlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from bnjax.lab import errors
from bnjax.lab.data import provide
from bnjax.lab.data.dataset import wrong_labels


@dataclasses.dataclass(frozen=True)
class Records:
  """Consecutive examples of a split that TFDS prepared, still encoded.

  Nothing is read before the first example is asked for, and files are opened
  anew wherever a copy goes: to another process only the description travels.
  """

  directory: pathlib.Path  #: Where TFDS prepared the data set, as ArrayRecord
  split: str  #: The split's name there
  first: int  #: Number of earlier examples in that split
  size: int  #: Number of examples
  channels: int  #: Of a decoded image: 1 or 3
  classes: int = 0  #: How many there are; 0 where it does not matter

  def __len__(self) -> int:
    """Number of examples."""
    return self.size

  def read(self, rows: Sequence[int]) -> tuple[list[bytes], np.ndarray]:
    """Reads examples, at any places and in any order.

    Args:
      rows: Places in [0, size).

    Returns:
      The encoded images, and int32 labels [rows].

    Raises:
      UserError: They cannot be read, or a label is of no class.
    """
    places = [self.first + int(row) for row in rows]
    try:
      found = self._source.__getitems__(places)
      labels = np.array([example["label"] for example in found], np.int32)
      images = [example["image"] for example in found]
    except Exception as error:  # of whichever part of TFDS found it out
      raise provide.unreadable(self.directory, error) from error
    if self.classes and (wrong := wrong_labels(labels, self.classes)):
      raise errors.UserError(
        f"dataset.name: {self.directory} has {self.split} {wrong}; remove it"
        " and prepare it again"
      )
    return images, labels

  @functools.cached_property
  def _source(self) -> Any:
    import tensorflow_datasets as tfds

    with provide.quiet():
      builder = tfds.builder_from_directory(self.directory)
      return builder.as_data_source(
        self.split, decoders={"image": tfds.decode.SkipDecoding()}
      )

  def __getstate__(self) -> dict[str, Any]:
    return {k: v for k, v in self.__dict__.items() if k != "_source"}

  def check(self) -> None:
    """Raises a `UserError` where the examples cannot be read here."""
    try:
      found = len(self._source)
      classes = self._classes()
    except ImportError as error:
      raise errors.UserError(
        f"dataset.name: reading {self.directory} needs the package"
        f" {error.name}; pip install 'bnjax[lab]'"
      ) from error
    except NotImplementedError as error:
      raise errors.UserError(
        f"dataset.name: {self.directory} is not in the format 'array_record',"
        " the one that is read at random; prepare it again elsewhere, python"
        " -m bnjax.lab.data.prepare --data_dir=DIRECTORY"
      ) from error
    except Exception as error:
      raise provide.unreadable(self.directory, error) from error
    if found < self.first + self.size:
      raise errors.UserError(
        f"dataset.name: {self.directory} has {found} {self.split} examples,"
        f" not {self.first + self.size}; remove it and prepare it again"
      )
    if self.classes and classes != self.classes:
      raise errors.UserError(
        f"dataset.name: {self.directory} has {classes} classes, not"
        f" {self.classes}; remove it and prepare it again"
      )

  def _classes(self) -> int:
    import tensorflow_datasets as tfds

    with provide.quiet():
      info = tfds.builder_from_directory(self.directory).info
    return int(info.features["label"].num_classes)


def decode_image(encoded: bytes, channels: int = 3) -> np.ndarray:
  """Decodes a PNG or JPEG.

  Returns:
    uint8 [height, width, channels].

  Raises:
    UserError: They are damaged.
  """
  pixels = np.asarray(open_image(encoded, "RGB" if channels == 3 else "L"))
  return pixels.reshape(*pixels.shape[:2], channels)


def open_image(encoded: bytes, mode: str) -> Any:
  """A PNG or JPEG as PIL's image of a mode; raises as `decode_image`."""
  from PIL import Image

  try:
    with Image.open(io.BytesIO(encoded)) as image:
      image.load()
      return image if image.mode == mode else image.convert(mode)
  except Exception as error:  # every format has its own
    raise errors.UserError(
      "dataset.name: an image of the prepared data cannot be decoded"
      f" ({provide.first_line(error)}); remove the data and prepare it again"
    ) from error
