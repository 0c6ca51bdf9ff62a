"""Data sets that tensorflow-datasets (TFDS) prepared, read without TensorFlow.

Order: TFDS writes examples sorted by a hash of their index, the same for all,
so a prepared data set has one order, but not that of the original files. For
MNIST the 60,000 images are those of the original training file, and the first
5,000 of TFDS (398 of them among the first 5,000 of the file) are another
sample of the same distribution than the published code's validation split.
The test split holds the same 10,000 images.
"""

import functools
import hashlib
import io
import math
import os
import pathlib
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from bnjax.lab import errors
from bnjax.lab.data import cache, provide
from bnjax.lab.data.dataset import Dataset, Spec, Split
from bnjax.lab.data.records import Records

# Part of a cached file's identity: change it when decoding or splitting does.
_FORMAT = 1
_CHUNK = 4096


def load(
  name: str,
  spec: Spec,
  data_dir: str | os.PathLike[str] | None = None,
  *,
  version: str,
  downloadable: bool = True,
) -> Dataset:
  """Loads a data set that TFDS prepared; has TFDS prepare it if none is.

  The first `spec.validation` examples of 'train' are the validation split.
  Decoded arrays are cached (`bnjax.lab.data.cache`), so only the first load
  decodes, and later ones do not even import TFDS.

  Raises:
    UserError: Nothing is prepared and it cannot be prepared here, a package
      is missing, or the files cannot be read.
  """
  directory = _directory(name, version, data_dir, downloadable)
  build = functools.partial(_decode, name, spec, directory)
  fingerprint = _fingerprint(directory, spec)
  return cache.load_or_build(f"{name}-{version}.npz", fingerprint, build)


def open_records(
  name: str,
  spec: Spec,
  split: str,
  data_dir: str | os.PathLike[str] | None = None,
  *,
  version: str,
  downloadable: bool = True,
  test: str = "test",
  by_hand: str = "",
) -> Records:
  """Random access to what `load` would decode at once: the same examples.

  Args:
    name: TFDS name.
    spec: Its description.
    split: "train", "validation" or "test".
    data_dir: Where TFDS keeps its data; see `provide.search_path`.
    version: TFDS version.
    downloadable: Whether TFDS can download and prepare it.
    test: TFDS's name of the split to test on.
    by_hand: What the user has to fetch, where nobody else may.

  Returns:
    The encoded examples of the split, in the order of `load`.

  Raises:
    UserError: Nothing is prepared and it cannot be prepared here.
  """
  stored, first, size = {
    "train": ("train", spec.validation, spec.train),
    "validation": ("train", 0, spec.validation),
    "test": (test, 0, spec.test),
  }[split]
  directory = _directory(name, version, data_dir, downloadable, by_hand)
  channels, classes = spec.image_shape[-1], spec.num_classes
  return Records(directory, stored, first, size, channels, classes)


def refuse_to_load(
  name: str, spec: Spec, data_dir: str | os.PathLike[str] | None = None
) -> Dataset:
  """Says that a data set is too large for memory."""
  del data_dir
  size = spec.train * math.prod(spec.image_shape) / 1e9
  raise errors.UserError(
    f"dataset.name: {name!r} would take {size:,.0f} GB of memory, so it is only"
    " read while it is used: config.stream=True"
  )


def _directory(
  name: str,
  version: str,
  data_dir: str | os.PathLike[str] | None,
  downloadable: bool,
  by_hand: str = "",
) -> pathlib.Path:
  directory = provide.find(name, version, data_dir)
  if directory is not None:
    return directory
  if by_hand:
    raise errors.UserError(
      f"{provide.not_prepared(name, version, data_dir)}; only you may fetch"
      f" {by_hand}, then: {provide.advice(name)} --manual_dir=DIRECTORY"
    )
  if not downloadable:
    raise errors.UserError(
      provide.not_prepared(name, version, data_dir)
      + "; it cannot be downloaded: it exists only as a prepared directory"
    )
  return provide.prepare(name, version, data_dir)


def _fingerprint(directory: pathlib.Path, spec: Spec) -> str:
  """Changes when a file of the directory does, or the way it is read."""
  files = [
    (file.name, file.stat().st_size, file.stat().st_mtime_ns)
    for file in sorted(directory.iterdir())
  ]
  return hashlib.sha256(repr((_FORMAT, spec, files)).encode()).hexdigest()


def _decode(name: str, spec: Spec, directory: pathlib.Path) -> Dataset:
  try:
    train = _read_split(directory, "train")
    test = _read_split(directory, "test")
  except ImportError as error:
    raise errors.UserError(
      f"dataset.name: reading the prepared {name!r} needs the package"
      f" {error.name}; pip install 'bnjax[lab]'"
    ) from error
  except errors.UserError:
    raise
  except Exception as error:
    raise provide.unreadable(directory, error) from error
  cut = spec.validation
  return Dataset.of(
    name,
    spec,
    train=Split(train.images[cut:], train.labels[cut:]),
    validation=Split(train.images[:cut], train.labels[:cut]),
    test=test,
  )


def _read_split(directory: pathlib.Path, split: str) -> Split:
  """Decodes one split, in its prepared order, with PIL."""
  with provide.quiet():
    import tensorflow_datasets as tfds
    from PIL import Image

    builder = tfds.builder_from_directory(directory)
    shape = builder.info.features["image"].shape
    count = builder.info.splits[split].num_examples
    images = np.empty((count, *shape), np.uint8)
    labels = np.empty(count, np.int32)
    for row, example in enumerate(_examples(builder, split)):
      with Image.open(io.BytesIO(example["image"])) as image:
        pixels = np.frombuffer(image.tobytes(), np.uint8)
      images[row] = pixels.reshape(shape)
      labels[row] = example["label"]
  return Split(images, labels)


def _examples(builder: Any, split: str) -> Iterator[Mapping[str, Any]]:
  """Examples in order, their images still encoded."""
  import tensorflow_datasets as tfds

  decoders = {"image": tfds.decode.SkipDecoding()}
  try:
    source = builder.as_data_source(split, decoders=decoders)
  except NotImplementedError as error:
    if not provide.has_tensorflow():
      raise errors.UserError(
        f"dataset.name: {builder.data_dir} is in the format"
        f" {builder.info.file_format.value!r}, which only TensorFlow reads:"
        " pip install 'bnjax[tfds]', or prepare it again elsewhere,"
        f" python -m bnjax.lab.data.prepare {builder.info.name}"
        " --data_dir=DIRECTORY"
      ) from error
    config = tfds.ReadConfig(interleave_cycle_length=1)
    yield from tfds.as_numpy(
      builder.as_dataset(
        split=split, decoders=decoders, read_config=config, shuffle_files=False
      )
    )
    return
  for start in range(0, len(source), _CHUNK):
    yield from source.__getitems__(range(len(source))[start : start + _CHUNK])
