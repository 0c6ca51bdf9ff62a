"""The minibatch of a step, wherever it comes from."""

from bnjax.train.draw import Draws
from bnjax.train.images import as_images, take
from bnjax.train.sharding import Layout
from bnjax.train.step import Batch


def minibatch(
  train: Batch | None,
  draw: Draws,
  image_shape: tuple[int, ...],
  layout: Layout,
) -> Batch:
  """One minibatch of one network.

  Args:
    train: the training set, its images as `bnjax.train.images.as_words` gives
      them; None where the minibatch is in the draw.
    draw: of one step of one network.
    image_shape: of one image.
    layout: divides the minibatch over devices.
  """
  if draw.batches is not None:
    words, labels, mask = layout.divide(draw.batches)
    return Batch(as_images(words, image_shape), labels, mask)
  assert train is not None
  rows, mask = layout.divide((draw.rows, draw.masks))
  images = take(train.images, rows, image_shape)
  divided: Batch = layout.divide(Batch(images, train.labels[rows], mask))
  return divided
