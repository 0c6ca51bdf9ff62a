"""What each arm says of each test image: `predictions.jsonl` and a picture."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bnjax.lab import results
from bnjax.lab.experiment.plan import Network

# A picture is small, and exact where its images are.
_BYTES = 2_000_000  # of all pixels together, before PNG makes them fewer
_IMAGES = 1000
_SIDE = 64  # pixels: larger images are made smaller
_COLUMNS = 25


class Predictions:
  """Gathers class probabilities and writes one line a test image.

  A line holds `index` (in the test set), `label`, `disagreement` and, per
  arm, `prediction` (the class of the highest mean probability over seeds),
  `confidence` (that probability), and `right`, the share of seeds that
  classify the image correctly. The disagreement of two arms is half the sum
  of the absolute differences of their mean probabilities: 0 where they agree,
  1 where they exclude each other; of more than two arms the largest one.

  The images that are most worth a look, where arms disagree or one is unsure,
  are in `predictions.png`; their lines have `image`, its place there: [left,
  top, width, height] in pixels.
  """

  def __init__(self, state: dict[str, Any] | None = None) -> None:
    """Begins, or goes on from an earlier `state`: arrays by arm."""
    self.state: dict[str, Any] = state or {}

  def add(self, networks: Sequence[Network], probabilities: np.ndarray) -> None:
    """Takes in the probabilities `[networks, n, classes]` of some networks.

    A network that diverged says nothing: its probabilities are not numbers,
    and count as even ones.
    """
    classes = probabilities.shape[-1]
    for network, own in zip(networks, probabilities, strict=True):
      own = np.where(np.isfinite(own), own, 1 / classes)
      said = self.state.setdefault(network.arm, {"sum": 0.0, "votes": []})
      said["sum"] = said["sum"] + own.astype(np.float64)
      said["votes"].append(own.argmax(-1))

  def write(
    self, path: Path, labels: np.ndarray, images: np.ndarray | None = None
  ) -> None:
    """Writes a line for every test image.

    Args:
      path: `predictions.jsonl`; the picture goes beside it.
      labels: int [n], the classes.
      images: uint8 [n, height, width, channels]; of any other, no picture.
    """
    means = {
      arm: said["sum"] / len(said["votes"]) for arm, said in self.state.items()
    }
    right = {
      arm: np.mean([votes == labels for votes in said["votes"]], axis=0)
      for arm, said in self.state.items()
    }
    apart = _disagreement(list(means.values()))
    least = np.min([mean.max(axis=-1) for mean in means.values()], axis=0)
    # Two images that arms disagree on for each that one is unsure of.
    order = np.minimum(_rank(-apart), 2 * _rank(least) + 0.5).argsort()
    picture = path.with_suffix(".png")
    places = {} if images is None else sprite(picture, images, order)
    results.append_rows(
      path,
      (
        {
          "index": i,
          "label": int(label),
          "disagreement": round(float(apart[i]), 6),
          "arms": {
            arm: {
              "prediction": int(mean[i].argmax()),
              "confidence": round(float(mean[i].max()), 6),
              "right": float(right[arm][i]),
            }
            for arm, mean in means.items()
          },
        }
        | ({"image": places[i]} if i in places else {})
        for i, label in enumerate(labels)
      ),
    )


def _rank(values: np.ndarray) -> np.ndarray:
  """The place of each value among all, from the least."""
  return values.argsort(kind="stable").argsort()


def _disagreement(means: list[np.ndarray]) -> np.ndarray:
  apart = np.zeros(len(means[0]))
  for i, a in enumerate(means):
    for b in means[i + 1 :]:
      apart = np.maximum(apart, 0.5 * np.abs(a - b).sum(axis=-1))
  return apart


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
