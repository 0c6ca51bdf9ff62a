"""Parts of encoded photographs of any size, as images of one size.

What a `prepare` of `bnjax.lab.data.stream` may be. All resize by PIL's bilinear
filter, which averages where it makes smaller.
"""

import dataclasses
import math
from typing import Any

import numpy as np

from bnjax.lab import errors
from bnjax.lab.data.records import open_image

_TRIES = 10


@dataclasses.dataclass(frozen=True)
class RandomCrop:
  """A random part of random size and shape, and in half of the cases mirrored.

  As GoogLeNet was trained (Szegedy et al. 2015, arXiv:1409.4842, section 6):
  the part's area is uniform between 8% and 100% of the image's, its width over
  height between 3/4 and 4/3, here uniform in its logarithm. A part that does
  not fit is drawn again; after ten times it is the largest square.

  Attributes:
    size: rows and columns of the result.
    least_area: the smallest part of the area.
    ratio: the largest ratio of the sides.
    mirror: whether to mirror half of the images.
  """

  size: int = 224
  least_area: float = 0.08
  ratio: float = 4 / 3
  mirror: bool = True

  def __post_init__(self) -> None:
    _check_size(self.size)
    if not 0 < self.least_area <= 1:
      raise errors.UserError(f"least_area: {self.least_area} is not in (0, 1]")
    if self.ratio < 1:
      raise errors.UserError(f"ratio: {self.ratio} is less than 1")

  def __call__(
    self, encoded: bytes, generator: np.random.Generator
  ) -> np.ndarray:
    """uint8 [size, size, 3] of a PNG or JPEG."""
    image = open_image(encoded, "RGB")
    width, height = image.size
    box = self._box(width, height, generator)
    pixels = _resized(image, (self.size, self.size), box)
    if self.mirror and generator.random() < 0.5:
      pixels = pixels[:, ::-1]
    return np.ascontiguousarray(pixels)

  def _box(
    self, width: int, height: int, generator: np.random.Generator
  ) -> tuple[int, int, int, int]:
    """Left, upper, right and lower edge."""
    bound = math.log(self.ratio)
    for _ in range(_TRIES):
      area = width * height * generator.uniform(self.least_area, 1)
      ratio = math.exp(generator.uniform(-bound, bound))
      columns, rows = (round(math.sqrt(area * r)) for r in (ratio, 1 / ratio))
      if 0 < columns <= width and 0 < rows <= height:
        left = int(generator.integers(0, width - columns + 1))
        top = int(generator.integers(0, height - rows + 1))
        return left, top, left + columns, top + rows
    side = min(width, height)
    left, top = (width - side) // 2, (height - side) // 2
    return left, top, left + side, top + side


@dataclasses.dataclass(frozen=True)
class CentralCrop:
  """The middle of the image, resized to a shorter side of `shorter`.

  Attributes:
    size: rows and columns of the result.
    shorter: of the resized image's sides; at least `size`.
  """

  size: int = 224
  shorter: int = 256

  def __post_init__(self) -> None:
    _check_size(self.size)
    if self.shorter < self.size:
      raise errors.UserError(
        f"shorter: {self.shorter} is less than the crop's {self.size}"
      )

  def __call__(self, encoded: bytes, generator: Any = None) -> np.ndarray:
    """uint8 [size, size, 3] of a PNG or JPEG; nothing is drawn."""
    del generator
    image = open_image(encoded, "RGB")
    width, height = image.size
    scale = self.shorter / min(width, height)
    width, height = round(scale * width), round(scale * height)
    pixels = _resized(image, (width, height))
    top, left = (height - self.size) // 2, (width - self.size) // 2
    return np.ascontiguousarray(
      pixels[top : top + self.size, left : left + self.size]
    )


def _resized(
  image: Any,
  size: tuple[int, int],
  box: tuple[int, int, int, int] | None = None,
) -> np.ndarray:
  from PIL import Image

  return np.asarray(image.resize(size, Image.Resampling.BILINEAR, box))


def _check_size(size: int) -> None:
  if size < 1:
    raise errors.UserError(f"size: {size} is too small; at least 1")
