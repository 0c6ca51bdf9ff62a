"""A config of seconds, and a launcher that keeps what it was given."""

import pytest

from bnjax.lab import config as configs
from bnjax.lab.launch.launcher import Here


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
