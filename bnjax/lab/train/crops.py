"""Evaluation on one or 144 crops of an image, and on several models.

Szegedy et al. 2015 (GoogLeNet, arXiv:1409.4842, section 7) resize an image to
four scales, take three squares of each, six crops of each square, and the
mirror image of each crop: 4 * 3 * 6 * 2 = 144. Ioffe and Szegedy 2015 report
one crop and these, and average the probabilities of six networks.
"""

from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp

# Of the shorter side, in pixels; for crops of 224.
SCALES = (256, 288, 320, 352)


class Crop(NamedTuple):
  """A square part of a resized image.

  Attributes:
    height: of the image that it is part of.
    width: of that image.
    top: first row.
    left: first column.
    side: rows and columns; what is not the size wanted is resized to it.
  """

  height: int
  width: int
  top: int
  left: int
  side: int


def crop_places(
  height: int, width: int, *, size: int = 224, scales: Sequence[int] = SCALES
) -> list[Crop]:
  """Returns the 72 crops of an image before mirroring, 18 for each scale.

  Args:
    height: of the image.
    width: of the image.
    size: of the crops.
    scales: lengths of the image's shorter side; the longer one is rounded.

  Returns:
    By scale; then by square, the left (or upper), middle and right (or lower)
    one; then by crop, the corners (upper left, upper right, lower left, lower
    right), the center, and the whole square. Middles are rounded down.

  Raises:
    ValueError: a scale is smaller than the crops.

  Example:
    >>> crop_places(300, 400, size=224, scales=[256])[4:6]
    [Crop(height=256, width=341, top=16, left=16, side=224),
     Crop(height=256, width=341, top=0, left=0, side=256)]
  """
  places = []
  for scale in scales:
    if scale < size:
      raise ValueError(
        f"a crop of {size} does not fit into an image of scale {scale}."
      )
    short = min(height, width)
    rows, columns = (round(side * scale / short) for side in (height, width))
    far = scale - size
    corners = [(0, 0), (0, far), (far, 0), (far, far), (far // 2, far // 2)]
    for along in _squares(max(rows, columns) - scale):
      top, left = (along, 0) if rows > columns else (0, along)
      places += [
        Crop(rows, columns, top + down, left + right, size)
        for down, right in corners
      ]
      places.append(Crop(rows, columns, top, left, scale))
  return places


def crops_144(
  images: jax.Array, *, size: int = 224, scales: Sequence[int] = SCALES
) -> jax.Array:
  """Cuts every image into the crops of GoogLeNet.

  Args:
    images: `[n, height, width, channels]`, floating.
    size: of the crops.
    scales: lengths of the shorter side to which the images are resized.

  Returns:
    `[n, 36 * scales, size, size, channels]`: each of `crop_places`, followed by
    its mirror image. 87 MB an image at 224x224x3 in float32. Resizing is
    linear with antialiasing; the paper does not say what it was.

  Raises:
    ValueError: a scale is smaller than the crops, or `images` has other axes.
  """
  n, height, width, channels = _shape(images)
  crops, resized = [], {}
  for place in crop_places(height, width, size=size, scales=scales):
    shape = (n, place.height, place.width, channels)
    if shape not in resized:
      resized[shape] = _resize(images, shape)
    crop = resized[shape][
      :,
      place.top : place.top + place.side,
      place.left : place.left + place.side,
    ]
    crop = _resize(crop, (n, size, size, channels))
    crops += [crop, crop[:, :, ::-1]]
  return jnp.stack(crops, axis=1)


def single_crop(images: jax.Array, size: int) -> jax.Array:
  """Returns the central `[n, size, size, channels]`; middles rounded down.

  Args:
    images: `[n, height, width, channels]`; for the published numbers, with a
      shorter side of 256.
    size: of the crop.

  Raises:
    ValueError: the crop does not fit, or `images` has other axes.

  Example:
    >>> x = jnp.arange(20).reshape(1, 4, 5, 1)
    >>> single_crop(x, 2)[0, :, :, 0]
    Array([[ 6,  7],
           [11, 12]], dtype=int32)
  """
  _, height, width, _ = _shape(images)
  if not 1 <= size <= min(height, width):
    raise ValueError(
      f"a crop of {size} does not fit into images of {height}x{width}."
    )
  top, left = (height - size) // 2, (width - size) // 2
  return images[:, top : top + size, left : left + size]


def ensemble_probabilities(logits: jax.Array) -> jax.Array:
  """Averages the probabilities that models give to crops of an image.

  Args:
    logits: `[models, n, crops, classes]`.

  Returns:
    `[n, classes]`: the arithmetic mean of the softmax over crops and models,
    in float32 or wider.

  Raises:
    ValueError: `logits` has other axes.

  Example:
    >>> logits = jnp.array([[[[0.0, 0.0]]], [[[0.0, 200.0]]]])
    >>> ensemble_probabilities(logits)
    Array([[0.25, 0.75]], dtype=float32)
  """
  if logits.ndim != 4:
    raise ValueError(
      f"logits are [models, n, crops, classes], not {logits.shape}."
    )
  wide = logits.astype(jnp.promote_types(logits.dtype, jnp.float32))
  return jnp.mean(jax.nn.softmax(wide), axis=(0, 2))


def top_errors(
  probabilities: jax.Array, labels: jax.Array, *, k: int = 5
) -> jax.Array:
  """Returns the fraction of images whose class is not among the `k` likeliest.

  Args:
    probabilities: `[n, classes]`, or logits: only their order counts.
    labels: `[n]` of int.
    k: how many guesses an image has; 1 gives one minus the accuracy.

  Raises:
    ValueError: there are fewer classes than guesses.

  Example:
    >>> probabilities = jnp.array([[0.5, 0.3, 0.2], [0.6, 0.3, 0.1]])
    >>> labels = jnp.array([1, 2])
    >>> [float(top_errors(probabilities, labels, k=k)) for k in (1, 2, 3)]
    [1.0, 0.5, 0.0]
  """
  classes = probabilities.shape[-1]
  if not 1 <= k <= classes:
    raise ValueError(f"{k} guesses among {classes} classes.")
  _, guesses = jax.lax.top_k(probabilities, k)
  found = jnp.any(guesses == labels[:, None], axis=-1)
  return 1 - jnp.mean(found, dtype=jnp.float32)


def _squares(rest: int) -> tuple[int, int, int]:
  """Where three squares begin along the longer side."""
  return 0, rest // 2, rest


def _shape(images: jax.Array) -> tuple[int, int, int, int]:
  if images.ndim != 4:
    raise ValueError(
      f"images are [n, height, width, channels], not {images.shape}."
    )
  n, height, width, channels = images.shape
  return n, height, width, channels


def _resize(images: jax.Array, shape: tuple[int, int, int, int]) -> jax.Array:
  if images.shape == shape:
    return images
  return jax.image.resize(images, shape, "linear")


__all__ = [
  "SCALES",
  "Crop",
  "crop_places",
  "crops_144",
  "ensemble_probabilities",
  "single_crop",
  "top_errors",
]
