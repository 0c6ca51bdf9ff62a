"""Before or after the activation, with or without the layer's own bias?

The 2015 paper normalizes before the activation and drops the bias; the report
on the CNN normalizes after activation and pool; the 2018 post after the ReLU.

  python scripts/train.py --config=configs/placement.py:mnist
"""

from bnjax.config import base, finish, greater, parse

MLP = {"name": "mlp", "width": 256, "depth": 2, "init": "he"}
CNN = {"name": "lenet", "init": "he"}


def get_config(arg="mnist"):
  """The experiment on the data set that `arg` names, small if it says smoke."""
  options = parse(arg)
  config = base(model="mlp", optimizer="sgd")
  config.title = "Placement of batch norm, and the bias before it"
  config.dataset.name = options.dataset
  config.optimizer.learning_rate = 0.1
  config.batch_size = 64
  config.steps = 1000
  config.eval_every = 100
  config.seeds = 3
  config.arms = {}
  placements = {
    "mlp": ("before", "after"),
    "cnn": ("before", "after", "after_pool"),
  }
  for name, model in (("mlp", MLP), ("cnn", CNN)):
    shape = {"dataset": {"transform": "rgb32"}} if name == "cnn" else {}
    for placement in placements[name]:
      for bias, use_bias in (("", False), ("_bias", True)):
        own = {"placement": placement, "use_bias": use_bias}
        config.arms[f"{name}_{placement}{bias}"] = {
          "model": model | own,
          **shape,
        }
    config.arms[f"{name}_none"] = {
      "norm": {"name": "none"},
      "model": model,
      **shape,
    }
  near = {"direction": "within", "margin": 0.005}
  config.claims = {
    "mlp": greater(
      "MLP: before the activation is better than after it",
      "mlp_before",
      "mlp_after",
    ),
    "cnn": greater(
      "CNN: before the activation is better than after it",
      "cnn_before",
      "cnn_after",
    ),
    "pool": greater(
      "CNN: before the activation is better than after the pool",
      "cnn_before",
      "cnn_after_pool",
    ),
    "mlp_bias": greater(
      "MLP: the bias before batch norm makes no difference",
      "mlp_before_bias",
      "mlp_before",
      **near,
    ),
    "cnn_bias": greater(
      "CNN: the bias before batch norm makes no difference",
      "cnn_before_bias",
      "cnn_before",
      **near,
    ),
  }
  config.figures.final = {"kind": "final", "metrics": ("test_accuracy",)}
  return finish(config, options)
