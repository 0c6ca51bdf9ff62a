"""The minibatch of a step, wherever it comes from."""

import jax
import jax.numpy as jnp

from bnjax.lab.train.draw import Draws
from bnjax.lab.train.images import as_images, take
from bnjax.lab.train.sharding import Layout
from bnjax.lab.train.step import Batch


def minibatch(
  train: Batch | None,
  draw: Draws,
  image_shape: tuple[int, ...],
  layout: Layout,
) -> Batch:
  """One minibatch of one network.

  Args:
    train: the training set, its images as `train.images.as_words` gives
      them; None where the minibatch is in the draw.
    draw: of one step of one network.
    image_shape: of one image.
    layout: divides the minibatch over devices.
  """
  if draw.batches is not None:
    words, labels, mask = layout.divide(draw.batches)
    return Batch(as_images(words, image_shape), labels, mask)
  assert train is not None
  assert draw.rows is not None
  rows, mask = layout.divide(_whole(draw.rows, draw.masks, layout.devices))
  images = take(train.images, rows, image_shape)
  divided: Batch = layout.divide(Batch(images, train.labels[rows], mask))
  return divided


def _whole(
  rows: jax.Array, mask: jax.Array | None, devices: int
) -> tuple[jax.Array, jax.Array | None]:
  """Rows that the devices share evenly, and which of them count.

  Dropout draws for the rows that are added too, so its masks are then other
  ones than on one device.
  """
  size = rows.shape[0]
  short = -size % devices
  if not short:
    return rows, mask
  if mask is None:
    mask = jnp.ones(size, bool)
  return jnp.pad(rows, (0, short)), jnp.pad(mask, (0, short))
