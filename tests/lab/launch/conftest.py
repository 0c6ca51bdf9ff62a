"""A config of seconds, and a launcher that trains in this process."""

import jax
import pytest
from jax.experimental.compilation_cache import compilation_cache

from bnjax.lab import config as configs
from bnjax.lab.launch.local import Ended
from bnjax.lab.launch.worker import train

_CACHE = (
  "jax_compilation_cache_dir",
  "jax_persistent_cache_min_compile_time_secs",
)


class Here:
  """Trains units one after the other; keeps what it was given."""

  def __init__(self, before=lambda unit: None):
    self.before = before
    self.given = []
    self._left = []

  def start(self, units):
    self.given += [[trial.id for trial in unit.trials] for unit in units]
    self._left = list(units)

  def ended(self, seconds):
    unit = self._left.pop(0)
    self.before(unit)
    yield Ended(unit, train(unit.folder))

  def running(self):
    return self._left[:1]

  def stop(self):
    self._left = []

  def says(self):
    return ""


@pytest.fixture
def here():
  return Here


@pytest.fixture
def config():
  base = configs.base()
  base.dataset.name = "mnist5k"
  base.dataset.examples = 100
  base.model.update(width=4, depth=1)
  base.batch_size = 20
  base.steps, base.eval_every, base.seeds = 4, 2, 2
  base.arms = {"batch_norm": {}}
  return base.to_dict()


@pytest.fixture(scope="package", autouse=True)
def _compile_once(tmp_path_factory):
  """Sweeps of the same shapes share their compiled programs here."""
  before = {name: getattr(jax.config, name) for name in _CACHE}
  cache = str(tmp_path_factory.mktemp("xla"))
  for name, value in zip(_CACHE, (cache, 0.0), strict=True):
    jax.config.update(name, value)
  compilation_cache.reset_cache()
  yield
  for name, value in before.items():
    jax.config.update(name, value)
  compilation_cache.reset_cache()
