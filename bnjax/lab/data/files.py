"""A data set that is read while it is used, as `load` gives one in memory."""

import dataclasses
import functools
import os
from typing import Any

import numpy as np

from bnjax.lab import errors
from bnjax.lab.data.dataset import Spec
from bnjax.lab.data.records import Records
from bnjax.lab.data.registry import DATASETS, sizes
from bnjax.lab.data.stream import Batches
from bnjax.lab.registry import is_outside

_SAMPLE = 4096  # training examples that the mean is of


@dataclasses.dataclass(frozen=True)
class Files:
  """Three splits of examples on disk."""

  name: str
  spec: Spec
  data_dir: str | os.PathLike[str] | None

  def batches(
    self,
    split: str,
    size: int,
    seed: int | None,
    process_index: int = 0,
    process_count: int = 1,
  ) -> Batches:
    """Minibatches of a split, as `Batches` describes them."""
    training, evaluation = DATASETS[self.name].prepare
    return Batches(
      open_records(self.name, split, data_dir=self.data_dir),
      size,
      seed,
      evaluation if seed is None else training,
      process_index,
      process_count,
    )

  @functools.cached_property
  def mean(self) -> float:
    """Mean of pixel / 255 over the first 4,096 training examples."""
    count = min(_SAMPLE, self.spec.train)
    images = self.batches("train", count, None)[0]["images"]
    return float(int(images.sum(dtype=np.uint64)) / (255 * images.size))

  def labels(self, split: str) -> np.ndarray:
    """int32 labels of a split; no image is decoded."""
    records = open_records(self.name, split, data_dir=self.data_dir)
    places = range(0, len(records), _SAMPLE)
    parts = [
      records.read(range(start, min(start + _SAMPLE, len(records))))[1]
      for start in places
    ]
    return np.concatenate(parts)

  def describe(self) -> dict[str, Any]:
    """What every result records of its data, ready for JSON."""
    return self.spec.describe(self.name, mean=self.mean, streamed=True)


def open_files(
  name: str,
  transform: str = "none",
  *,
  data_dir: str | os.PathLike[str] | None = None,
  examples: int = 0,
) -> Files:
  """Opens a data set that is read while it is used.

  Raises:
    UserError: it cannot be read so, or not here.
  """
  check_streamed(name, transform, examples=examples)
  files = Files(name, sizes(name), data_dir)
  for split in ("train", "validation", "test"):
    open_records(name, split, data_dir=data_dir).check()
  return files


def open_records(
  name: str, split: str, *, data_dir: str | os.PathLike[str] | None = None
) -> Records:
  """Random access to the encoded examples of a split: what a `Stream` reads.

  Raises:
    UserError: a name is not known, the data set is made for memory alone, or
      nothing is prepared and it cannot be prepared here.
  """
  check_streamed(name)
  errors.choice("split", split, ("train", "validation", "test"))
  row = DATASETS[name]
  assert row.records is not None
  return row.records(name, row.spec, split, data_dir)


def check_streamed(
  name: str, transform: str = "none", *, examples: int = 0
) -> None:
  """Raises UserError for what only a data set in memory can have."""
  if is_outside(name):
    raise errors.UserError(
      f"stream: {name!r} returns all of its data at once, and nothing is read "
      "while it is used; set config.stream=False"
    )
  row = DATASETS[errors.choice("dataset.name", name, DATASETS)]
  if transform != "none" or examples:
    field = "transform" if transform != "none" else "examples"
    raise errors.UserError(
      f"dataset.{field}: what is read while it is used (config.stream) comes "
      f"as it is, all {row.spec.train} training examples; set "
      "config.stream=False"
    )
  if row.records is None:
    known = ", ".join(sorted(n for n, row in DATASETS.items() if row.records))
    raise errors.UserError(
      f"stream: {name!r} is small and only loaded as a whole; what can be read "
      f"while it is used: {known}"
    )
