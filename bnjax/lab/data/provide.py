"""Finds what TFDS prepared, and has it prepare what is missing."""

import contextlib
import importlib.util
import logging
import os
import pathlib
import warnings
from collections.abc import Iterator

from bnjax.lab import errors

PathLike = str | os.PathLike[str]
_OFFLINE = (
  "for a sample that needs no download, use dataset.name=mnist5k"
  " (--config=...:mnist5k)"
)


def search_path(data_dir: PathLike | None = None) -> list[pathlib.Path]:
  """Directories in which prepared data is looked for, in order.

  `data_dir` alone if given; else $TFDS_DATA_DIR if set, then
  ~/tensorflow_datasets, the default of TFDS.
  """
  if data_dir:
    return [pathlib.Path(data_dir).expanduser()]
  given = os.environ.get("TFDS_DATA_DIR")
  found = [pathlib.Path(given).expanduser()] if given else []
  return [*found, pathlib.Path(os.path.expanduser("~/tensorflow_datasets"))]


def find(
  name: str, version: str, data_dir: PathLike | None = None
) -> pathlib.Path | None:
  """The first prepared directory `<data_dir>/<name>/<version>`, or None."""
  for parent in search_path(data_dir):
    directory = parent / name / version
    if (directory / "dataset_info.json").is_file():
      return directory
  return None


def prepare(
  name: str,
  version: str,
  data_dir: PathLike | None = None,
  manual_dir: PathLike | None = None,
) -> pathlib.Path:
  """Has TFDS download and prepare a data set, as ArrayRecord files.

  Raises:
    UserError: TensorFlow is not installed, or the download or the preparation
      failed; says which, where was looked before, and what to do instead.
  """
  missing = not_prepared(name, version, data_dir)
  if not has_tensorflow():
    raise errors.UserError(
      f"{missing}; preparing it needs TensorFlow, which is not installed:"
      f" {advice(name)}; {_OFFLINE}"
    )
  target = search_path(data_dir)[0]
  try:
    with quiet():
      import tensorflow_datasets as tfds

      builder = tfds.builder(
        f"{name}:{version}", data_dir=target, file_format="array_record"
      )
      config = tfds.download.DownloadConfig(manual_dir=manual_dir)
      with _few_retries():
        builder.download_and_prepare(download_config=config)
  except Exception as error:
    raise errors.UserError(
      f"{missing}; downloading and preparing it failed ({first_line(error)});"
      " with the files at hand: python -m bnjax.lab.data.prepare"
      f" {name} --manual_dir=DIRECTORY; {_OFFLINE}"
    ) from error
  return target / name / version


def has_tensorflow() -> bool:
  """Whether TensorFlow is installed; it is not imported to find out."""
  return importlib.util.find_spec("tensorflow") is not None


def not_prepared(name: str, version: str, data_dir: PathLike | None) -> str:
  """Says that nothing is prepared, and where was looked."""
  looked = ", ".join(str(path) for path in search_path(data_dir))
  return (
    f"dataset.name: no prepared {name!r} {version} in {looked} (set"
    " TFDS_DATA_DIR or data_dir to another directory)"
  )


def advice(name: str) -> str:
  """The commands that prepare a data set."""
  return f"pip install 'bnjax[tfds]' && python -m bnjax.lab.data.prepare {name}"


def unreadable(directory: pathlib.Path, error: Exception) -> errors.UserError:
  """Says that what was prepared cannot be read, and why."""
  return errors.UserError(
    f"dataset.name: {directory} cannot be read ({first_line(error)}); remove it"
    " and prepare it again"
  )


def first_line(error: BaseException) -> str:
  """An exception's type and the first line of its text."""
  lines = str(error).strip().splitlines()
  return f"{type(error).__name__}: {lines[0]}" if lines else repr(error)


@contextlib.contextmanager
def quiet() -> Iterator[None]:
  """Silences other packages' deprecation warnings."""
  with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    yield


@contextlib.contextmanager
def _few_retries() -> Iterator[None]:
  """Without network, fails in seconds: TFDS would retry for three minutes."""
  from tensorflow_datasets.core.download import downloader

  retries = getattr(downloader, "MAX_RETRIES", None)
  downloader.MAX_RETRIES = 3
  # Not put back: the other files' threads outlive the first failure.
  logging.getLogger("urllib3.connectionpool").setLevel(logging.ERROR)
  try:
    yield
  finally:
    downloader.MAX_RETRIES = retries
