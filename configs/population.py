"""Algorithm 2 against the running average, after few steps and many.

The paper's inference statistics are averages over training minibatches with
the parameters frozen (Algorithm 2); in practice a running average stands in.
Here both are evaluated along the way, for minibatches of 2 to 256.

  python scripts/train.py --config=configs/population.py:mnist
"""

from bnjax.lab.config import base, finish, parse
from bnjax.lab.results import Curves, Field, Rules, greater, within

SIZES = (2, 8, 32, 128, 256)


def get_config(arg="mnist"):
  """The experiment on the data set that `arg` names, small if it says smoke."""
  options = parse(arg)
  config = base(model="mlp", optimizer="sgd")
  config.dataset.name = options.dataset
  config.model.update(width=100, depth=3)
  config.norm.decay = 0.99
  config.optimizer.learning_rate = 0.1
  config.update(steps=1000, eval_every=20, population_batches=100)
  config.arms = {f"batch_{size}": {"batch_size": size} for size in SIZES}
  return finish(config, options)


def get_rules(config):
  """What is claimed and published of it, and what its report shows."""
  both = {"versus_metric": "test_accuracy"}
  metric = "population_test_accuracy"
  early = "After 20 steps Algorithm 2 is better than the running average"
  late = "After 1,000 steps they are within half a point"
  claims = {}
  for arm in ("batch_2", "batch_32", "batch_256"):
    claims[f"early_{arm}"] = greater(
      f"{early}: {arm}", arm, None, metric, step=20, **both
    )
    claims[f"late_{arm}"] = within(
      0.005, f"{late}: {arm}", arm, None, metric, **both
    )
  metrics = ("test_accuracy", metric)
  return Rules(
    title="Algorithm 2 against the running average",
    claims=claims,
    figures={
      "accuracy": Curves(metrics=metrics, log_x=True),
      "batch_size": Field(
        x="batch_size", steps=(20, 100, 1000), metrics=metrics
      ),
    },
  )
