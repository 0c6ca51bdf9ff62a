"""Some images of a data set as one picture: small, and exact where they are."""

from pathlib import Path

import numpy as np

_BYTES = 2_000_000  # of all pixels together, before PNG makes them fewer
_IMAGES = 1000
_SIDE = 64  # pixels: larger images are made smaller
_COLUMNS = 25


def sprite(
  path: Path, images: np.ndarray, order: np.ndarray
) -> dict[int, list[int]]:
  """Writes images side by side into one PNG file.

  Args:
    path: the file; replaced if it exists.
    images: uint8 [n, height, width, channels] of 1 or 3 channels.
    order: int, indices of images: as many of the first ones as there is room
      for, at most 1000.

  Returns:
    Index of an image -> [left, top, width, height] of it in the picture, in
    pixels. Empty, and no file, where the images are of another kind or Pillow
    is not installed.
  """
  try:
    from PIL import Image
  except ImportError:
    return {}
  if images.dtype != np.uint8 or images.ndim != 4:
    return {}
  if images.shape[-1] not in (1, 3) or not order.size:
    return {}
  height, width = images.shape[1:3]
  shrunk = min(1.0, _SIDE / max(height, width))
  width, height = max(1, int(width * shrunk)), max(1, int(height * shrunk))
  kept = order[:_IMAGES]
  chosen = images[kept]
  if np.all(chosen == chosen[..., :1]):  # grey, whatever its channels
    chosen = chosen[..., :1]
  room = max(1, _BYTES // (width * height * chosen.shape[-1]))
  kept, chosen = kept[:room], chosen[:room]
  mode = "L" if chosen.shape[-1] == 1 else "RGB"
  lines = -(-len(kept) // _COLUMNS)
  columns = min(_COLUMNS, len(kept))
  picture = Image.new(mode, (columns * width, lines * height))
  places = {}
  for place, (index, pixels) in enumerate(zip(kept, chosen, strict=True)):
    left = place % _COLUMNS * width
    top = place // _COLUMNS * height
    image = Image.fromarray(pixels[..., 0] if mode == "L" else pixels)
    picture.paste(image.resize((width, height)), (left, top))
    places[int(index)] = [left, top, width, height]
  picture.save(path, optimize=True)
  return places
