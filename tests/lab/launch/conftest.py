"""A config of seconds, and a launcher that keeps what it was given."""

import jax
import pytest
from jax.experimental.compilation_cache import compilation_cache

from bnjax.lab import config as configs
from bnjax.lab.launch.local import Here

_CACHE = (
  "jax_compilation_cache_dir",
  "jax_persistent_cache_min_compile_time_secs",
)


class Watched(Here):
  """Keeps what it was given; does something before it trains a part."""

  def __init__(self, before=lambda part: None):
    super().__init__()
    self.before = before
    self.given = []

  def start(self, parts, tick):
    self.given += [
      [(n.point, n.seed) for n in part.networks.values()] for part in parts
    ]
    super().start(parts, tick)

  def ended(self, seconds):
    if self._left:
      self.before(self._left[0])
    yield from super().ended(seconds)


@pytest.fixture
def here():
  return Watched


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
