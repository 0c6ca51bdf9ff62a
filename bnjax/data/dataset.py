"""What a data set is: three splits of uint8 images, a name and a digest."""

import dataclasses
import functools
import hashlib
from typing import Any

import numpy as np


@dataclasses.dataclass(frozen=True)
class Spec:
  """What is known of a data set before anything of it is read.

  Attributes:
    label: One line for results: the name, what the data is, its source.
    train: Number of training examples.
    validation: Number of validation examples.
    test: Number of test examples.
    image_shape: (height, width, channels).
    num_classes: Number of classes.
  """

  label: str
  train: int
  validation: int
  test: int
  image_shape: tuple[int, int, int]
  num_classes: int


@dataclasses.dataclass(frozen=True, eq=False)
class Split:
  """Images and their labels.

  Attributes:
    images: uint8 [N, H, W, C], as stored: nothing scaled or subtracted.
    labels: int32 [N], in [0, num_classes).

  Raises:
    TypeError: An array has another dtype.
    ValueError: The shapes do not fit each other.
  """

  images: np.ndarray
  labels: np.ndarray

  def __post_init__(self) -> None:
    if (self.images.dtype, self.labels.dtype) != (np.uint8, np.int32):
      raise TypeError(
        "a split is uint8 images and int32 labels, not"
        f" {self.images.dtype} and {self.labels.dtype}"
      )
    if self.images.ndim != 4 or self.labels.shape != self.images.shape[:1]:
      raise ValueError(
        "a split is images [N, H, W, C] and labels [N], not"
        f" {self.images.shape} and {self.labels.shape}"
      )

  def __len__(self) -> int:
    """Number of examples."""
    return len(self.labels)


@dataclasses.dataclass(frozen=True, eq=False)
class Dataset:
  """A named data set in memory.

  Attributes:
    name: As in `DATASETS`.
    label: One line for results: the name, what the data is, its source.
    train: Training examples.
    validation: Examples held out from training.
    test: Test examples.
    num_classes: Number of classes.

  Example:
    >>> half = Split(np.full((2, 1, 1, 1), 51, np.uint8), np.zeros(2, np.int32))
    >>> data = Dataset("flat", "flat: one grey", half, half, half, 1)
    >>> data.mean
    0.2
    >>> data.digest
    'sha256:80644ccdd68afe44'
  """

  name: str
  label: str
  train: Split
  validation: Split
  test: Split
  num_classes: int

  @functools.cached_property
  def mean(self) -> float:
    """Mean of pixel / 255 over the whole training split: one scalar.

    From the sum in integers, so exact but for the last rounding, and the same
    on every machine.
    """
    images = self.train.images
    return float(int(images.sum(dtype=np.uint64)) / (255 * images.size))

  @functools.cached_property
  def digest(self) -> str:
    """'sha256:' and 16 hex digits over names, shapes and bytes of all splits.

    The same on every machine, whatever its byte order, and independent of the
    data set's own name.
    """
    digest = hashlib.sha256()
    for name in ("train", "validation", "test"):
      split: Split = getattr(self, name)
      for field, array in (
        ("images", split.images),
        ("labels", split.labels.astype("<i4", copy=False)),
      ):
        digest.update(f"{name}.{field}{array.shape}\n".encode())
        digest.update(np.ascontiguousarray(array).data)
    return f"sha256:{digest.hexdigest()[:16]}"

  def describe(self) -> dict[str, Any]:
    """What every result records of its data, ready for JSON."""
    return {
      "name": self.name,
      "label": self.label,
      "train": len(self.train),
      "validation": len(self.validation),
      "test": len(self.test),
      "image_shape": list(self.train.images.shape[1:]),
      "num_classes": self.num_classes,
      "mean": self.mean,
      "digest": self.digest,
    }
