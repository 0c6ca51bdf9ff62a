"""Decoded data sets on disk: one .npz per data set, checked by its digest."""

import json
import logging
import os
import pathlib
import tempfile
from collections.abc import Callable, Mapping

import numpy as np

from bnjax.lab.data.dataset import Dataset, Split
from bnjax.lab.results.records import replacing

_log = logging.getLogger(__name__)


def directory() -> pathlib.Path:
  """Where decoded data sets are kept.

  $BNJAX_CACHE_DIR/data if set, else $XDG_CACHE_HOME/bnjax/data, else
  ~/.cache/bnjax/data; of a user without a home, a folder for temporary files.
  Deleting it costs one decoding.
  """
  if root := os.environ.get("BNJAX_CACHE_DIR"):
    return pathlib.Path(root, "data")
  root = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
  if root.startswith("~"):
    root = os.path.join(tempfile.gettempdir(), f"cache-{os.getuid()}")
  return pathlib.Path(root, "bnjax", "data")


def load_or_build(
  file_name: str, fingerprint: str, build: Callable[[], Dataset]
) -> Dataset:
  """Reads a data set from the cache, or builds it and writes it there.

  A file that is damaged (its digest is recomputed), or that was made from
  another source, is built again. A cache that cannot be written is a notice
  in the log, never an error.

  Args:
    file_name: Name of the file in `directory()`.
    fingerprint: Identifies the source; a file made from another is stale.
    build: Makes the data set.
  """
  path = directory() / file_name
  try:
    return _read(path, fingerprint)
  except FileNotFoundError:
    pass
  except _Stale as stale:
    _log.info("%s: %s; decoding again", path, stale)
  except Exception as error:  # whatever a damaged file leads NumPy to
    _log.warning("%s is damaged (%s); decoding again", path, error)
  data = build()
  try:
    _write(path, fingerprint, data)
  except OSError as error:
    _log.warning(
      "cannot keep the decoded %s in %s (%s): it will be decoded each time;"
      " set BNJAX_CACHE_DIR to a directory that can be written",
      data.name,
      path.parent,
      error.strerror or error,
    )
  return data


class _Stale(Exception):
  """The file is whole but was made from another source."""


def _read(path: pathlib.Path, fingerprint: str) -> Dataset:
  if path.exists() and not path.is_file():
    raise ValueError("it is no regular file")
  with open(path, "rb") as file, np.load(file, allow_pickle=False) as arrays:
    meta = json.loads(str(arrays["meta"]))
    if meta["fingerprint"] != fingerprint:
      raise _Stale("made from another source")
    data = Dataset(
      meta["name"],
      meta["label"],
      train=_split(arrays, "train"),
      validation=_split(arrays, "validation"),
      test=_split(arrays, "test"),
      num_classes=meta["num_classes"],
    )
  if data.digest != meta["digest"]:
    raise ValueError(f"digest {data.digest}, not {meta['digest']}")
  return data


def _split(arrays: Mapping[str, np.ndarray], name: str) -> Split:
  return Split(arrays[f"{name}.images"], arrays[f"{name}.labels"])


def _write(path: pathlib.Path, fingerprint: str, data: Dataset) -> None:
  meta = {
    "name": data.name,
    "label": data.label,
    "num_classes": data.num_classes,
    "digest": data.digest,
    "fingerprint": fingerprint,
  }
  arrays = {"meta": np.array(json.dumps(meta))}
  for name in ("train", "validation", "test"):
    split: Split = getattr(data, name)
    arrays[f"{name}.images"] = split.images
    arrays[f"{name}.labels"] = split.labels
  with replacing(path) as file:
    np.savez(file, **arrays)  # type: ignore[arg-type]
