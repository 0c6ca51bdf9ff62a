"""Augmentations by name: what `config.augment.name` may be.

An entry takes the arguments of its config group and returns a pure function
`augment(key, images) -> images` of a minibatch, floating, `[n, height, width,
channels]` in [0, 1]. Each image draws its own distortion. All are a few
elementwise operations, a small fraction of a training step.
"""

from collections.abc import Callable
from typing import Annotated

import jax
import jax.numpy as jnp

from bnjax.lab.registry import NotNegative, Range

_Augment = Callable[[jax.Array, jax.Array], jax.Array]


def none() -> _Augment:
  """Leaves images as they are."""
  return lambda key, images: images


def photometric(
  *,
  brightness: NotNegative = 0.125,
  contrast: NotNegative = 0.5,
  saturation: NotNegative = 0.5,
) -> _Augment:
  """Random light: brightness, then contrast, then saturation, then a cut.

  With `m` an image's mean, `g` a pixel's over its channels, and `u`, `v`, `w`
  of each image uniform in [-1, 1]:

    x <- x + brightness * u
    x <- m + (1 + contrast * v) * (x - m)
    x <- g + (1 + saturation * w) * (x - g)
    x <- min(max(x, 0), 1)

  Images of one channel have no saturation. The defaults are about those with
  which Inception was trained; the 2015 paper reduces them for batch norm, by
  how much it does not say (section 4.2.1).

  Args:
    brightness: largest shift; the pixels' range is 1.
    contrast: largest relative change of the distances from the image's mean.
    saturation: likewise, of the distances from the pixel's grey.
  """

  def augment(key: jax.Array, images: jax.Array) -> jax.Array:
    shape = (3, len(images), 1, 1, 1)
    u, v, w = jax.random.uniform(key, shape, images.dtype, -1.0)
    shift, factor, color = brightness * u, 1 + contrast * v, 1 + saturation * w
    mean = jnp.mean(images, axis=(1, 2, 3), keepdims=True)
    # The three in one expression. The sum of slices is many times faster on a
    # CPU than a mean over an axis so short.
    channels = jnp.split(images, images.shape[-1], axis=-1)
    grey = sum(channels[1:], start=channels[0]) / len(channels)
    mixed = color * images + (1 - color) * grey
    return jnp.clip(shift + (1 - factor) * mean + factor * mixed, 0, 1)

  return augment


def shift_flip(
  *, shift: Annotated[int, Range(least=0)] = 4, flip: bool = True
) -> _Augment:
  """Random shifts and mirror images (He et al. 2016 for CIFAR-10).

  As padding with `shift` black pixels on all sides, a random crop of the
  original size, and in half of the cases a horizontal flip.

  Args:
    shift: most pixels by which an image moves, in either direction.
    flip: whether to mirror; what digits and letters should not be.

  Reference:
    https://arxiv.org/abs/1512.03385, section 4.2.
  """

  def augment(key: jax.Array, images: jax.Array) -> jax.Array:
    n, height, width, _ = images.shape
    move_key, flip_key = jax.random.split(key)
    moves = jax.random.randint(move_key, (2, n, 1), -shift, shift + 1)
    rows = moves[0] + jnp.arange(height)[None]
    columns = moves[1] + jnp.arange(width)[None]
    if flip:
      mirrored = jax.random.bernoulli(flip_key, shape=(n, 1))
      columns = jnp.where(mirrored, columns[:, ::-1], columns)
    taken = images[
      jnp.arange(n)[:, None, None],
      jnp.clip(rows, 0, height - 1)[:, :, None],
      jnp.clip(columns, 0, width - 1)[:, None, :],
    ]
    inside = _is_inside(rows, height)[:, :, None, None]
    inside &= _is_inside(columns, width)[:, None, :, None]
    return jnp.where(inside, taken, jnp.zeros_like(taken))

  return augment


def _is_inside(places: jax.Array, size: int) -> jax.Array:
  return (places >= 0) & (places < size)


AUGMENTATIONS: dict[str, Callable[..., _Augment]] = {
  "none": none,
  "photometric": photometric,
  "shift_flip": shift_flip,
}
