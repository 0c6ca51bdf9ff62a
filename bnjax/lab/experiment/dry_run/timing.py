"""How long a program takes, from a few steps of it on random images."""

import math
from typing import Any, NamedTuple

import numpy as np

from bnjax.lab import data
from bnjax.lab.experiment.runner import Source, Trainer
from bnjax.lab.experiment.validation import Checked, wide
from bnjax.lab.train.feed import FromMemory
from bnjax.lab.train.sharding import ONE_DEVICE

_ASSUMED = 2e10  # operations a second, only to choose how many steps to time
_MOST_STEPS = 20
_MOST_EXAMPLES = 2000
_MOST_MAPPED = 4  # networks that run one after the other


class Timing(NamedTuple):
  """What a few steps took."""

  networks: int  # how many were trained together
  steps: int  # how many steps were timed
  compile_seconds: float  # of the program
  step_seconds: float  # of a training step of one network
  # of an evaluation of one network, on all of the validation and test set
  evaluation_seconds: float


def measure(program: Checked, step_flops: float) -> Timing:
  """Trains the program for a second or so; keeps nothing of it.

  Args:
    program: of which its first part is trained. Of networks that run one after
      the other, a few are enough.
    step_flops: operations of a step of one of its networks.
  """
  part = program.parts[0]
  if program.across == "map":
    part = part.split(_MOST_MAPPED)[0]
  count = len(part.networks)
  flops = step_flops if math.isfinite(step_flops) else _ASSUMED
  steps = min(max(int(_ASSUMED / (flops * count)), 2), _MOST_STEPS)
  spec = {
    **part.spec,
    # Every chunk has the same length: one compilation, and a chunk to warm up.
    "steps": 2 * steps,
    "eval_every": steps,
    "evaluate_at": (),
    "stream": False,
    "probes": {},
    "predictions": False,
    "save_params": False,
  }
  short = part._replace(spec=spec)
  with wide(spec):
    dataset, share = _random_data(spec, program.data)
    feed = FromMemory(dataset, ONE_DEVICE)
    source = Source(dataset.num_classes, dataset.mean, feed)
    trainer = Trainer(short, source, ONE_DEVICE, program.task, program.across)
    records = list(trainer.train(short))
  begin, middle, end = (turn.rows[0] for turn in records if turn.rows)
  took = lambda name: end[f"{name}_seconds"] - middle[f"{name}_seconds"]
  compilation = max(end["compile_seconds"], begin["compile_seconds"])
  return Timing(
    count,
    steps,
    count * compilation,
    took("train") / steps,
    took("evaluate") / share,
  )


def _random_data(spec: Any, known: data.Spec) -> tuple[data.Dataset, float]:
  """Examples of the data set's shape, and which share of the held-out ones."""
  rng = np.random.default_rng(0)

  def split(count: int) -> data.Split:
    shape = (count, *known.image_shape)
    if known.dtype == "uint8":
      images = rng.integers(0, 256, shape, np.uint8)
    else:
      images = rng.standard_normal(shape).astype(known.dtype)
    labels = rng.integers(0, max(known.num_classes, 1), count, np.int32)
    return data.Split(images, labels)

  least = max(_MOST_EXAMPLES, spec["batch_size"])
  held_out = [
    min(count, _MOST_EXAMPLES) for count in (known.validation, known.test)
  ]
  train, validation, test = map(split, (min(known.train, least), *held_out))
  share = sum(held_out) / max(known.validation + known.test, 1)
  name = spec["dataset"]["name"]
  dataset = data.Dataset(
    name, known.label, train, validation, test, known.num_classes
  )
  return dataset, share
