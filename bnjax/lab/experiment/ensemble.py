"""Trained networks averaged: section 4.2.3 of the 2015 paper, Figure 4."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import jax
import numpy as np

from bnjax.lab import data, results
from bnjax.lab.config import complete, make_task
from bnjax.lab.data.stream import Stream
from bnjax.lab.errors import UserError, choice
from bnjax.lab.experiment import params, plan
from bnjax.lab.experiment.loader import Loader
from bnjax.lab.experiment.plan import Network
from bnjax.lab.experiment.validation import wide
from bnjax.lab.train.evaluation import BLOCK
from bnjax.lab.train.sharding import ONE_DEVICE
from bnjax.lab.train.state import TrainState
from bnjax.lab.train.step import predict


class Errors(NamedTuple):
  """Shares of the test set that are classified wrongly."""

  name: str  #: of the network, or of several together
  top_1: float  #: the true class has not the highest probability
  #: it is not among the highest five; None for fewer than six classes
  top_5: float | None


def errors(
  workdir: str | Path,
  arms: Sequence[str] = (),
  *,
  data_dir: str | None = None,
) -> list[Errors]:
  """The errors of a run's trained networks, and of their mean.

  The mean is the arithmetic one of the class probabilities, as in the paper.

  Args:
    workdir: of a run with `config.save_params`.
    arms: whose networks, of every seed and point; all if empty.
    data_dir: where prepared TFDS data sets are.

  Raises:
    UserError: there is no such run, arm or network.
  """
  try:
    config = results.read_json(Path(workdir) / "config.json")["config"]
  except (OSError, KeyError, ValueError):
    raise UserError(f"{workdir} holds no config.json of a run") from None
  config = complete(config)
  for arm in arms:
    choice("--arms", arm, config["arms"])
  found, total, labels = [], np.zeros(()), np.zeros(0)
  networks = [n for n in plan.networks(config) if not arms or n.arm in arms]
  for network in networks:
    said, labels = _probabilities(Path(workdir), network, data_dir)
    total = total + said
    point = "".join(f" {k}={v:g}" for k, v in network.point.items())
    name = f"{network.arm}{point} seed {network.seed}"
    found.append(_errors(name, said, labels))
  return [*found, _errors(f"all {len(networks)} together", total, labels)]


def _probabilities(
  workdir: Path, network: Network, data_dir: str | None
) -> tuple[np.ndarray, np.ndarray]:
  """Class probabilities `[n, classes]` of the test set, and its labels."""
  spec = network.spec
  found = Loader(data_dir, ONE_DEVICE, 0).load(spec)
  classes = found.spec.num_classes
  task = make_task(spec, num_classes=classes, pixel_mean=found.mean)
  kept = params.load(workdir, network.arm, network.seed, network.point)
  state = TrainState(
    kept["params"], kept.get("batch_stats", {}), (), jax.random.key(0)
  )
  parts = []
  with wide(spec):
    one = jax.jit(lambda x: jax.nn.softmax(predict(task, state, x)))
    for images, labels in _blocks(found):
      parts.append((np.asarray(one(images), np.float64), labels))
  said, labels = (np.concatenate(own) for own in zip(*parts, strict=True))
  return said, labels


def _blocks(
  found: data.Dataset | data.Files,
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
  """Images and labels of the test set, some at a time."""
  if isinstance(found, data.Files):
    with Stream(found.batches("test", BLOCK, None)) as stream:
      for batch in stream:
        there = batch["mask"]
        yield batch["images"][there], batch["labels"][there]
  else:
    test = found.test
    for start in range(0, len(test.labels), BLOCK):
      part = slice(start, start + BLOCK)
      yield test.images[part], test.labels[part]


def _errors(name: str, said: np.ndarray, labels: np.ndarray) -> Errors:
  """Of equal probabilities the true class has the last place."""
  right = np.take_along_axis(said, labels[:, None], axis=1)
  before = np.sum(said >= right, axis=1) - 1
  five = float(np.mean(before >= 5)) if said.shape[1] > 5 else None
  return Errors(name, float(np.mean(before >= 1)), five)
