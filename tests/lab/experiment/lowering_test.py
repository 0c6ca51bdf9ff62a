"""What every experiment trains lowers for GPU and TPU, in small.

It is traced as there, where convolutions are not what they are on a CPU.
Nothing is compiled, which takes the other machine.
"""

import functools
import json
import pathlib
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import export

from bnjax.lab import config_file, data
from bnjax.lab.config import complete
from bnjax.lab.data.batches import SAMPLERS
from bnjax.lab.experiment import plan
from bnjax.lab.experiment.runner import Source, Trainer
from bnjax.lab.experiment.validation import check_spec, wide
from bnjax.lab.train.batches import draw
from bnjax.lab.train.feed import FromMemory
from bnjax.lab.train.precision import PRECISIONS
from bnjax.lab.train.sharding import ONE_DEVICE

CONFIGS = sorted((pathlib.Path(__file__).parents[3] / "configs").glob("*.py"))
_OF_A_START = {"init", "later_init"}


@pytest.fixture(scope="module", autouse=True)
def elsewhere():
  with pytest.MonkeyPatch.context() as patched:
    patched.setattr(jax, "default_backend", lambda: "gpu")
    jax.clear_caches()
    yield
  jax.clear_caches()


def _parts(spec):
  """What the program of a specification is made of, whatever the sizes."""
  model = {k: v for k, v in spec["model"].items() if k not in _OF_A_START}
  parts = {"model": model}
  for part in ("norm", "optimizer", "schedule", "augment", "loss", "precision"):
    parts[part] = spec[part]
  for probe in spec["probes"].values():
    parts[f"{probe['measure']} of {probe.get('of')}"] = model["name"]
  text = {k: json.dumps(v, sort_keys=True) for k, v in parts.items()}
  numbers = r"-?[\d.]+(e-?\d+)?|true|false"
  return {(k, re.sub(numbers, "0", v)) for k, v in text.items()}


def _programs():
  """Those that have a part which none before has, by experiment and arm."""
  seen, found = set(), {}
  for path in CONFIGS:
    config = complete(config_file.load(path).get_config("smoke"))
    for group in plan.groups(plan.networks(config)):
      parts = _parts(group.spec)
      if not parts <= seen:
        name = f"{path.stem}-{group.networks[0].arm}"
        found[name] = group
      seen |= parts
  return found


PROGRAMS = _programs()


def _random_data(known, examples):
  """Examples of a data set's kind."""
  images = np.zeros((examples, *known.image_shape), known.dtype)
  split = data.Split(images, np.zeros(examples, np.int32))
  return data.Dataset("random", "", *3 * [split], known.num_classes)


def _lowers(program, *arguments):
  exported = export.export(program, platforms=["cuda", "tpu"])(*arguments)
  assert exported.platforms == ("cuda", "tpu")


class _Made:
  """The program of a group, and shapes of what its functions take."""

  def __init__(self, group):
    self.spec = spec = group.spec
    task, known = check_spec(spec)
    size = spec["batch_size"]
    self.feed = FromMemory(_random_data(known, size), ONE_DEVICE)
    source = Source(known.num_classes, 0.1, self.feed)
    self.program = Trainer(group, source, ONE_DEVICE, task).program
    of_each = lambda dtype: jax.ShapeDtypeStruct((len(group.networks),), dtype)
    dtype = PRECISIONS[spec["precision"]].params
    self.hyper = {field: of_each(dtype) for field in group.hyper}
    self.seeds, self.which = of_each(jnp.uint32), of_each(jnp.int32)
    how = {
      "sampler": SAMPLERS[spec["sampler"]],
      "steps": 2,
      "size": size,
      "batch_size": size,
    }
    keys = jax.eval_shape(jax.vmap(jax.random.key), self.seeds)
    self.draws = jax.eval_shape(functools.partial(draw, **how), keys, 0)
    self.states = jax.eval_shape(self.program.init, self.hyper, self.seeds)


@pytest.mark.parametrize("name", PROGRAMS)
def test_training(name):
  with wide(PROGRAMS[name].spec):
    own = _Made(PROGRAMS[name])
    train = own.feed.splits.train
    step = own.hyper, own.states, train, own.draws, own.which, 0
    _lowers(own.program.advance, *step)


PROBED = {
  name.partition("-")[0]: group
  for name, group in PROGRAMS.items()
  if group.spec["probes"]
}


@pytest.mark.parametrize("experiment", PROBED)
def test_probes(experiment):
  with wide(PROBED[experiment].spec):
    own = _Made(PROBED[experiment])
    batch = own.feed.first_examples(own.spec["batch_size"])
    _lowers(own.program.observe, own.hyper, own.states, batch)


def test_what_is_measured_of_a_network():
  own = _Made(PROGRAMS["accelerating-batch_norm"])
  states = own.hyper, own.states
  splits = own.feed.splits
  _lowers(own.program.init, own.hyper, own.seeds)
  _lowers(own.program.evaluate, *states, splits, own.draws, own.which)
  _lowers(own.program.probabilities, *states, splits.test.images)
