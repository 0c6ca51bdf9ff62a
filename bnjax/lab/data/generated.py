"""Data sets that are drawn, not read: noise with known statistics."""

import os

import numpy as np

from bnjax.lab.data.dataset import Dataset, Spec, Split

_SEED = 0


def load_gaussian(
  name: str, spec: Spec, data_dir: str | os.PathLike[str] | None = None
) -> Dataset:
  """Draws examples of independent N(0, 1) features, the same at every call.

  What enters a deep network at initialization when only the propagation of
  signals is looked at. There is nothing to learn: every label is 0. Training,
  validation and test examples follow each other in one stream of PCG64.

  Reference:
    R. Varma, "Training very deep networks with Batchnorm", 2018: 1,000
    examples of 100 features.
  """
  del data_dir
  generator = np.random.Generator(np.random.PCG64(_SEED))

  def draw(size: int) -> Split:
    values = generator.standard_normal((size, *spec.image_shape))
    return Split(values, np.zeros(size, np.int32))

  splits = ("train", "validation", "test")
  drawn = {split: draw(getattr(spec, split)) for split in splits}
  return Dataset.of(name, spec, **drawn)
