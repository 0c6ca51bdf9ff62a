"""Damage to trained networks and to the cache of decoded data."""

import contextlib
import logging
import random
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from benchmarks.reliability.harms import HARMS, flip
from benchmarks.reliability.outcome import Outcome, refused
from bnjax.lab.data import cache
from bnjax.lab.data.dataset import Dataset, Split
from bnjax.lab.errors import UserError
from bnjax.lab.experiment import params
from bnjax.lab.experiment.plan import Network


def networks(folder: Path) -> Iterator[Outcome]:
  """Damages the file of a trained network, and loads it."""
  kernel = np.arange(6, dtype=np.float32).reshape(1, 6)
  for harm in HARMS.values():
    for path in (folder / "params").glob("*"):
      path.rmdir() if path.is_dir() else path.unlink()
    variables = {"params": {"kernel": kernel}, "batch_stats": {}}
    params.save(folder, [Network("a", {}, 0, {})], variables)
    (path,) = (folder / "params").iterdir()
    harm(path)
    try:
      found = params.load(folder, "a")["params"]["kernel"]
    except UserError as error:
      yield refused(str(error))
    except Exception as error:
      yield Outcome("wrong", repr(error))
    else:
      same = np.array_equal(found, kernel[0])
      yield Outcome("survived" if same else "wrong", "it was believed")


def decoded(folder: Path, flips: int, draw: random.Random) -> Iterator[Outcome]:
  """Damages the cache of a data set, and loads that.

  Args:
    folder: an empty one, where the cache of this process is.
    flips: how many bits are changed, one at a time.
    draw: which.
  """
  images = np.arange(256, dtype=np.uint8).reshape(4, 8, 8, 1)
  split = Split(images, np.arange(4, dtype=np.int32))
  data = Dataset("tiny", "tiny", split, split, split, 4)
  path = folder / "tiny.npz"
  bits = [flip(draw.random(), 1 << draw.randrange(8)) for _ in range(flips)]
  for harm in [*HARMS.values(), *bits]:
    if path.is_dir():
      path.rmdir()
    path.unlink(missing_ok=True)
    cache.load_or_build(path.name, "same", lambda: data)
    harm(path)
    try:
      with _untold():
        found = cache.load_or_build(path.name, "same", lambda: data)
    except Exception as error:
      yield Outcome("wrong", repr(error))
      continue
    right = found.digest == data.digest
    yield Outcome("survived" if right else "wrong", "other data")


@contextlib.contextmanager
def _untold() -> Iterator[None]:
  """The cache does not warn of each file: that is what is done here."""
  log = logging.getLogger(cache.__name__)
  before = log.level
  log.setLevel(logging.ERROR)
  try:
    yield
  finally:
    log.setLevel(before)
