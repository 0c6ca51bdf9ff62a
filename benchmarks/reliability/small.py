"""The run that is attacked: small, of four parts, with all kinds of records."""

from typing import Any

from bnjax.lab.config import base
from bnjax.lab.results import Rules, greater


def get_config(arg: str = "") -> Any:
  """Two arms of two networks each, of one program, on digits of 8 x 8."""
  del arg
  config = base(optimizer="sgd")
  config.dataset.name = "digits"
  config.model.update(width=8, depth=1, dropout_rate=0.3)
  config.batch_size = 32
  config.steps = 300
  config.eval_every = 30
  config.seeds = 2
  config.machine.max_networks = 1  # four parts
  config.save_params = True
  config.predictions = True
  config.probes = {"spread": {"measure": "variance", "layers": "activation_*"}}
  config.probe_every = 60
  config.arms = {
    "fast": {"optimizer": {"learning_rate": 0.1}},
    "slow": {"optimizer": {"learning_rate": 0.001}},
  }
  return config


def get_rules(config: Any) -> Rules:
  """One claim; the usual figures."""
  del config
  claim = greater("Large steps are better", "fast", "slow")
  return Rules(title="A small run", claims={"better": claim})
