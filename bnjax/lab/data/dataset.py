"""What a data set is: three splits of images, a name and a digest."""

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
    image_shape: (height, width, channels) of uint8 images; any shape of one
      example of floating data.
    num_classes: Number of classes.
    dtype: Name of the images' dtype: uint8, float32 or float64.
  """

  label: str
  train: int
  validation: int
  test: int
  image_shape: tuple[int, ...]
  num_classes: int
  dtype: str = "uint8"

  def describe(self, name: str, **data: Any) -> dict[str, Any]:
    """What every result records of its data, ready for JSON."""
    return {
      "name": name,
      "label": self.label,
      "train": self.train,
      "validation": self.validation,
      "test": self.test,
      "image_shape": list(self.image_shape),
      "num_classes": self.num_classes,
      **data,
    }


def wrong_labels(labels: np.ndarray, num_classes: int) -> str:
  """What is wrong with labels, if anything.

  >>> wrong_labels(np.array([0, 10]), 10)
  'labels from 0 to 10, and 10 classes'
  """
  if not labels.size or 0 <= labels.min() <= labels.max() < num_classes:
    return ""
  return (
    f"labels from {labels.min()} to {labels.max()}, and {num_classes} classes"
  )


@dataclasses.dataclass(frozen=True, eq=False)
class Split:
  """Images and their labels.

  Attributes:
    images: uint8 [N, H, W, C], as stored: nothing scaled or subtracted; or
      float32 or float64 [N, ...], which a model gets as they are: nothing
      divides them by 255.
    labels: int32 [N], in [0, num_classes).

  Raises:
    TypeError: An array has another dtype.
    ValueError: The shapes do not fit each other.
  """

  images: np.ndarray
  labels: np.ndarray

  def __post_init__(self) -> None:
    pixels, labels = self.images.dtype, self.labels.dtype
    if pixels not in (np.uint8, np.float32, np.float64) or labels != np.int32:
      raise TypeError(
        "a split is uint8, float32 or float64 images and int32 labels, not"
        f" {pixels} and {labels}"
      )
    fits = self.images.ndim == 4 if pixels == np.uint8 else self.images.ndim > 1
    if not fits or self.labels.shape != self.images.shape[:1]:
      shape = "[N, H, W, C]" if pixels == np.uint8 else "[N, ...]"
      raise ValueError(
        f"a split is {pixels} images {shape} and labels [N], not"
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

  @classmethod
  def of(cls, name: str, spec: Spec, **splits: Split) -> "Dataset":
    """A data set of a description; its splits by their names."""
    return cls(name, spec.label, num_classes=spec.num_classes, **splits)

  @functools.cached_property
  def mean(self) -> float:
    """Mean of pixel / 255 over the whole training split: one scalar.

    From the sum in integers, so exact but for the last rounding, and the same
    on every machine. It is of the data at hand, after a transform and a limit
    of examples. An experiment subtracts it where its `dataset.center` is true.

    Of floating data it is 0.0 by definition: such data is used as it is, and
    subtracting this "mean" changes nothing.
    """
    images = self.train.images
    if images.dtype != np.uint8:
      return 0.0
    return float(int(images.sum(dtype=np.uint64)) / (255 * images.size))

  @functools.cached_property
  def digest(self) -> str:
    """'sha256:' and 16 hex digits over names, shapes and bytes of all splits.

    The same on every machine, whatever its byte order, and independent of the
    data set's own name. Of floating data the dtype counts as well.
    """
    digest = hashlib.sha256()
    for name in ("train", "validation", "test"):
      split: Split = getattr(self, name)
      images = split.images
      kind = ""  # uint8, whose digests are older than floating data
      if images.dtype != np.uint8:
        images = images.astype(images.dtype.newbyteorder("<"), copy=False)
        kind = f" {images.dtype.name}"
      labels = split.labels.astype("<i4", copy=False)
      digest.update(f"{name}.images{images.shape}{kind}\n".encode())
      digest.update(np.ascontiguousarray(images).data)
      digest.update(f"{name}.labels{labels.shape}\n".encode())
      digest.update(np.ascontiguousarray(labels).data)
    return f"sha256:{digest.hexdigest()[:16]}"

  def describe(self) -> dict[str, Any]:
    """What every result records of its data, ready for JSON."""
    return self.spec.describe(self.name, mean=self.mean, digest=self.digest)

  @property
  def spec(self) -> Spec:
    """What is known of it without its data."""
    images = self.train.images
    return Spec(
      label=self.label,
      train=len(self.train),
      validation=len(self.validation),
      test=len(self.test),
      image_shape=images.shape[1:],
      num_classes=self.num_classes,
      dtype=images.dtype.name,
    )
