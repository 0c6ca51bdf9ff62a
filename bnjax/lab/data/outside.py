"""Data sets made by functions from outside: "package.module:function"."""

import dataclasses
import functools
import os
from collections.abc import Callable
from typing import Any

from bnjax.lab import errors, registry
from bnjax.lab.data.dataset import Dataset, Split, wrong_labels

_SPLITS = ("train", "validation", "test")


def load(name: str, data_dir: str | os.PathLike[str] | None) -> Dataset:
  """What the function `name` makes, called once in a process.

  Raises:
    UserError: there is no such function, it fails, or what it returns is no
      data set.
  """
  function = registry.lookup("dataset.name", name, {})
  where = None if data_dir is None else os.fspath(data_dir)
  return _load(name, function, where)


@functools.lru_cache(maxsize=8)
def _load(
  name: str, function: Callable[..., Any], data_dir: str | None
) -> Dataset:
  try:
    dataset = function(data_dir)
  except errors.UserError:
    raise
  except Exception as error:
    raise errors.UserError(
      f"dataset.name: {name!r} fails: {registry.said(error)}"
    ) from error
  wrong = _wrong_with(dataset)
  if wrong:
    raise errors.UserError(f"dataset.name: {name!r} {wrong}")
  found: Dataset = dataclasses.replace(dataset, name=name)
  return found


def _wrong_with(dataset: object) -> str:
  """What is wrong with what a function returned, if anything."""
  if not isinstance(dataset, Dataset):
    return (
      f"returns a {type(dataset).__name__}, and is to return a "
      "bnjax.lab.data.Dataset"
    )
  like = dataset.train.images
  for name in _SPLITS:
    split = getattr(dataset, name)
    if not isinstance(split, Split):
      return f"has a {name} of {type(split).__name__}, not a Split"
    if not len(split):
      return f"has no {name} examples"
    if (split.images.shape[1:], split.images.dtype) != (
      like.shape[1:],
      like.dtype,
    ):
      return f"has {name} images of another shape or dtype than those of train"
    if wrong := wrong_labels(split.labels, dataset.num_classes):
      return f"has {name} {wrong}"
  return ""
