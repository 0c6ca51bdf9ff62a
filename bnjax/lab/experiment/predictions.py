"""What each arm says of each test image: `predictions.jsonl` and a picture."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bnjax.lab import results
from bnjax.lab.experiment.pictures import sprite
from bnjax.lab.experiment.plan import Network


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
