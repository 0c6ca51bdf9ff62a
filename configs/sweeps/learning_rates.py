"""Learning rate x seed of the small MLP: 200 networks in one program.

python scripts/sweep.py --config=configs/sweeps/learning_rates.py:mnist5k
"""

from bnjax.lab.config import base, finish, log_space, parse
from bnjax.lab.results import Rules


def get_config(arg="mnist5k"):
  """Three layers of 100 ReLUs, as in configs/trainability.py."""
  options = parse(arg, dataset="mnist5k")
  config = base(model="mlp", optimizer="sgd")
  config.dataset.update(name=options.dataset, center=False)
  config.model.update(width=100, depth=3, init="he")
  config.batch_size = 60
  config.steps = 500
  config.eval_every = 500
  config.arms = {"batch_norm": {}}
  return finish(config, options)


def get_rules(config):
  """The best is that of the highest validation accuracy."""
  return Rules(title="Learning rates of the small MLP")


def sweep(add):
  """Twenty rates of ten seeds each."""
  for learning_rate in log_space(1e-3, 10.0, 20):
    for seed in range(10):
      add({"optimizer.learning_rate": learning_rate, "seed": seed})
