"""Changes to the images of a data set: once, on the host, before training.

They are what a config's `dataset.transform` may name. Each one takes uint8
images [N, H, W, C] and returns such images; what is random and happens at every
step is augmentation, which is elsewhere.
"""

import dataclasses
from collections.abc import Callable

import numpy as np

from bnjax.lab import errors
from bnjax.lab.data.dataset import Dataset, Spec, Split

_SIDE = 32
_CHANNELS = 3


def binary(images: np.ndarray) -> np.ndarray:
  """Black or white: 255 where a pixel is above 127, else 0.

  Divided by 255 these are the "binary images" of 0 and 1 on which the Batch
  Normalization paper trained its MNIST network; it does not give the threshold,
  and half of the range is ours.

  Reference:
    S. Ioffe and C. Szegedy, 2015, arXiv:1502.03167, section 4.1.
  """
  return np.where(images > 127, np.uint8(255), np.uint8(0))


def rgb32(images: np.ndarray) -> np.ndarray:
  """Grey images as colour images of 32x32, for a network made for CIFAR-10.

  Zeros (black) surround the image; where their number is odd the larger half
  is below and to the right. The grey value is repeated in three channels.

  Args:
    images: uint8 [N, H, W, 1] with H, W <= 32, or [N, 32, 32, 3], which come
      back as they are.

  Returns:
    uint8 images [N, 32, 32, 3].
  """
  if images.shape[1:] == (_SIDE, _SIDE, _CHANNELS):
    return images
  missing = [_SIDE - side for side in images.shape[1:3]]
  around = [(size // 2, size - size // 2) for size in missing]
  padded = np.pad(images, [(0, 0), *around, (0, 0)])
  return np.repeat(padded, _CHANNELS, axis=-1)


@dataclasses.dataclass(frozen=True)
class _Transform:
  """A row of `TRANSFORMS`."""

  # uint8 images [N, H, W, C] -> uint8 images [N, *shape]
  images: Callable[[np.ndarray], np.ndarray]
  label: str  # Joins the data set's label, to say what was done to it
  # Shape of one image -> its shape afterwards; None where the transform does
  # not take images of this shape
  shape: Callable[[tuple[int, ...]], tuple[int, ...] | None]
  # What it does take, for the message where `shape` returns None
  takes: str = ""


def _rgb32_shape(shape: tuple[int, ...]) -> tuple[int, ...] | None:
  height, width, channels = shape
  grey = channels == 1 and max(height, width) <= _SIDE
  return (_SIDE, _SIDE, _CHANNELS) if grey or shape == (32, 32, 3) else None


TRANSFORMS: dict[str, _Transform] = {
  "none": _Transform(lambda images: images, "", lambda shape: shape),
  "binary": _Transform(binary, "binary (pixel > 127)", lambda shape: shape),
  "rgb32": _Transform(
    rgb32,
    "as 32x32x3",
    _rgb32_shape,
    "grey images of at most 32x32 pixels, or 32x32x3",
  ),
}


def transform_spec(
  name: str, spec: Spec, transform: str, examples: int = 0
) -> Spec:
  """What is known of a data set after a transform and a limit of examples.

  Raises:
    UserError: The transform is not known or does not take these images, or
      `examples` is negative.
  """
  chosen = TRANSFORMS[errors.choice("dataset.transform", transform, TRANSFORMS)]
  if examples < 0:
    raise errors.UserError(
      f"dataset.examples: {examples} is negative; 0 means all examples"
    )
  label, shape = spec.label, spec.image_shape
  if transform != "none":
    if spec.dtype != "uint8":
      raise errors.UserError(
        f"dataset.transform: {transform!r} takes uint8 images, and {name!r}"
        f" holds {spec.dtype}; only 'none' applies to it"
      )
    changed = chosen.shape(shape)
    if changed is None:
      raise errors.UserError(
        f"dataset.transform: {transform!r} takes {chosen.takes}, and the images"
        f" of {name!r} are {'x'.join(map(str, shape))}"
      )
    label, shape = f"{label}; {chosen.label}", changed
  limit = examples or max(spec.train, spec.validation, spec.test)
  if limit < max(spec.train, spec.validation, spec.test):
    label += f"; at most {limit:,} examples a split"
  return dataclasses.replace(
    spec,
    label=label,
    image_shape=shape,
    train=min(spec.train, limit),
    validation=min(spec.validation, limit),
    test=min(spec.test, limit),
  )


def transform_dataset(data: Dataset, transform: str, spec: Spec) -> Dataset:
  """A data set as `spec`, which `transform_spec` returned, describes it."""
  sizes = (len(data.train), len(data.validation), len(data.test))
  if transform == "none" and sizes == (spec.train, spec.validation, spec.test):
    return data
  change = TRANSFORMS[transform].images

  def first(split: Split, size: int) -> Split:
    return Split(change(split.images[:size]), split.labels[:size])

  return dataclasses.replace(
    data,
    label=spec.label,
    train=first(data.train, spec.train),
    validation=first(data.validation, spec.validation),
    test=first(data.test, spec.test),
  )
