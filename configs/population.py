"""Algorithm 2 against the running average, after few steps and many.

The paper's inference statistics are averages over training minibatches with
the parameters frozen (Algorithm 2); in practice a running average stands in.
Here both are evaluated along the way, for minibatches of 2 to 256. The paper's
estimate of the variance has a factor m / (m - 1), which training does not: it
doubles the variance for m = 2. The arms `..._biased` leave it out, and one has
2,000 minibatches in the place of 100. The minibatch is the optimizer's and the
norm's alike; `normalization_batch` varies the norm's alone.

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
  config.update(steps=1000, eval_every=20, population_batches=100, seeds=12)
  config.arms = {f"batch_{size}": {"batch_size": size} for size in SIZES}
  for size in SIZES[:2]:
    biased = {"batch_size": size, "population_estimator": "biased"}
    config.arms[f"batch_{size}_biased"] = biased
  many = {"batch_size": 2, "population_batches": 2000, "eval_every": 1000}
  config.arms["batch_2_of_2000"] = many
  return finish(config, options)


def get_rules(config):
  """What is claimed and published of it, and what its report shows."""
  both = {"versus_metric": "test_accuracy"}
  metric = "population_test_accuracy"
  early = "After 20 steps Algorithm 2 is better than the running average"
  late = "After 1,000 steps they are within half a point"
  claims = {}
  for arm in ("batch_2", "batch_32", "batch_256"):
    own = both | {"setting": arm}
    claims[f"early_{arm}"] = greater(early, arm, None, metric, step=20, **own)
    claims[f"late_{arm}"] = within(0.005, late, arm, None, metric, **own)
  few = "For minibatches of 2 it is worse since 100 of them are too few"
  factor = "For minibatches of 2 it is worse by the factor m / (m - 1)"
  better = "For minibatches of 2, without the factor, it is better"
  claims["few"] = within(0.005, few, "batch_2_of_2000", None, metric, **both)
  claims["factor"] = greater(factor, "batch_2_biased", "batch_2", metric)
  claims["biased"] = greater(better, "batch_2_biased", None, metric, **both)
  metrics = ("test_accuracy", metric)
  return Rules(
    title="Algorithm 2 against the running average",
    claims=claims,
    figures={
      "accuracy": Curves(metrics=metrics, log_x=True),
      "batch_size": Field(
        x="batch_size",
        steps=(20, 100, 1000),
        metrics=metrics,
        arms=tuple(f"batch_{size}" for size in SIZES),
      ),
    },
  )
