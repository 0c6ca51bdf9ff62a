"""How well a network classifies examples: as they are, shifted, attacked."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from bnjax.lab.errors import choice

STATISTICS = ("running", "batch")


@dataclasses.dataclass(frozen=True)
class Classifier:
  """A network in inference, with labelled examples.

  Attributes:
    outputs_fn: (images `[n, ...]`, whether its norms normalize by these) ->
      outputs `[n, classes]`; without dropout.
    loss_fn: (outputs, labels) -> the mean loss, a scalar.
    correct_fn: (outputs, labels) -> how many are classified correctly.
    images: as the network takes them, `[n, ...]`.
    labels: `[n]`.
    low: the least that a pixel may be; None: anything.
    high: the most, likewise.
    key: of noise.
  """

  outputs_fn: Callable[[jax.Array, bool], jax.Array]
  loss_fn: Callable[[jax.Array, jax.Array], jax.Array]
  correct_fn: Callable[[jax.Array, jax.Array], jax.Array]
  images: jax.Array
  labels: jax.Array
  low: jax.Array | None
  high: jax.Array | None
  key: jax.Array

  def share(self, images: jax.Array) -> jax.Array:
    """The accuracy on other images of the same examples."""
    outputs = self.outputs_fn(images, False)
    return self.correct_fn(outputs, self.labels) / len(self.labels)


def accuracy(
  classifier: Classifier,
  statistics: str = "running",
  batch: int = 0,
  contrast: float = 1.0,
  noise: float = 0.0,
) -> jax.Array:
  """Returns the accuracy, on images that may be shifted.

  Args:
    classifier: with its examples.
    statistics: the norms' own `running` ones, or those of the `batch`.
    batch: classify so many together, the last ones that fill none left out;
      all at once if 0, or if there are no more.
    contrast: what deviations from an image's mean are multiplied by.
    noise: the standard deviation of normal noise on each pixel, after that;
      results are clipped to what pixels may be.

  Raises:
    UserError: `statistics` is neither of the two.

  Reference:
    Wu and Johnson (2021), arXiv:2105.07576: batch statistics in inference, and
    those of a shifted domain. Hendrycks and Dietterich (2019),
    arXiv:1903.12261: contrast and Gaussian noise.
  """
  by_batch = choice("statistics", statistics, STATISTICS) == "batch"
  x = classifier.images
  if contrast != 1:
    mean = x.mean(tuple(range(1, x.ndim)), keepdims=True)
    x = mean + contrast * (x - mean)
  if noise:
    x = x + noise * jax.random.normal(classifier.key, x.shape, x.dtype)
  if contrast != 1 or noise:
    x = _clipped(classifier, x)
  size = min(batch or len(x), len(x))
  count = len(x) // size
  cut = lambda a: a[: count * size].reshape(count, size, *a.shape[1:])

  def correct(part: Any) -> jax.Array:
    images, labels = part
    outputs = classifier.outputs_fn(images, by_batch)
    return classifier.correct_fn(outputs, labels)

  every = jax.lax.map(correct, (cut(x), cut(classifier.labels)))
  return every.sum() / (count * size)


def attacked_accuracy(
  classifier: Classifier,
  epsilons: Sequence[float] = (0.1,),
  steps: int = 20,
) -> jax.Array:
  """Returns `[epsilons]`: the accuracy where each image was moved to mislead.

  By projected gradient descent on the loss, within `epsilon` of each pixel and
  within what pixels may be, from the image itself: `steps` steps of
  `2 epsilon / steps` along the gradient's sign, the norms by their running
  statistics. One step is the fast gradient sign method.

  Args:
    classifier: with its examples.
    epsilons: the largest change of a pixel, in units of images in [0, 1].
    steps: of the attack.

  Reference:
    Madry et al. (2018), arXiv:1706.06083; Galloway et al. (2019),
    arXiv:1905.02161, whose 20 steps are of a tenth of epsilon, as these.
  """

  def loss(x: jax.Array) -> jax.Array:
    outputs = classifier.outputs_fn(x, False)
    return classifier.loss_fn(outputs, classifier.labels)

  def attack(epsilon: jax.Array) -> jax.Array:
    start = classifier.images

    def step(_: Any, x: jax.Array) -> jax.Array:
      x = x + 2 * epsilon / steps * jnp.sign(jax.grad(loss)(x))
      return _clipped(classifier, jnp.clip(x, start - epsilon, start + epsilon))

    return classifier.share(jax.lax.fori_loop(0, steps, step, start))

  dtype = classifier.images.dtype
  return jax.lax.map(attack, jnp.asarray(epsilons, dtype))


def _clipped(classifier: Classifier, x: jax.Array) -> jax.Array:
  return jnp.clip(x, classifier.low, classifier.high)
