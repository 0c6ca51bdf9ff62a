"""Does batch norm make training robust to a bad initialization?

The first test of "Implementing BatchNorm in Neural Net" (2016): every weight
drawn from N(0, 1), 784-256-256-10, dropout, Adam. Two arms were published; five
are here, since the published backward pass had an error in layer 1
(`as_published` repeats it) and dropout matters more than the post says.

  python scripts/train.py --config=configs/init_robustness.py:mnist

The argument is a data set (`mnist5k`, the default, needs no network; `mnist` is
the published one), `smoke` for a run of seconds, or both: `mnist,smoke`.
"""

from ml_collections import ConfigDict

POST = "Kristiadi 2016, 'Implementing BatchNorm in Neural Net', test 1"
ITERATIONS = tuple(range(100, 1001, 100))
# fmt: off
LOSS = (14.756, 6.411, 3.895, 2.463, 1.661, 1.280, 1.046, .940, 1.016, .834)
LOSS_WITHOUT = (49.734, 46.620, 44.148, 42.579, 41.301, 38.580, 36.496, 34.455,
                32.401, 30.353)
# fmt: on


def get_config(arg: str = "mnist5k") -> ConfigDict:
  """The experiment on the data set that `arg` names, small if it says smoke."""
  words = arg.split(",")
  smoke = "smoke" in words
  dataset = ",".join(word for word in words if word != "smoke") or "mnist5k"
  config = ConfigDict()
  config.title = "Batch norm against a bad initialization"
  config.dataset = {"name": dataset}
  config.model = {
    "name": "mlp",
    "width": 32 if smoke else 256,
    "depth": 2,
    "activation": "relu",
    "init": "randn",
    "init_scale": 1.0,
    "placement": "before",
    "dropout_rate": 0.5,
    "use_bias": True,
    "derivative": "corrected",
  }
  config.norm = {"name": "batch_norm", "epsilon": 1e-8, "decay": 0.9}
  config.optimizer = {
    "name": "adam",
    "learning_rate": 1e-2,
    "b1": 0.9,  # adam
    "b2": 0.999,  # adam
    "eps": 1e-8,  # adam, rmsprop
    "decay": 0.9,  # rmsprop
    "eps_in_sqrt": False,  # rmsprop
    "momentum": 0.0,  # sgd, rmsprop
    "nesterov": False,  # sgd, adam, rmsprop
  }
  config.l2 = 1e-3  # the loss has ½ l2 Σ w², over kernels
  config.sampler = "fixed"  # minibatches cut once, drawn with replacement
  config.batch_size = 64 if smoke else 256
  config.steps = 20 if smoke else 1000
  config.eval_every = 10 if smoke else 100
  config.seeds = 2 if smoke else 5  # how many
  config.seed = 0  # the first
  no_dropout = {"dropout_rate": 0.0}
  config.arms = {
    "batch_norm_as_published": {"model": {"derivative": "as_published"}},
    "batch_norm": {},
    "no_batch_norm": {"norm": {"name": "none"}},
    "batch_norm_no_dropout": {"model": no_dropout},
    "no_batch_norm_no_dropout": {"norm": {"name": "none"}, "model": no_dropout},
  }
  # The post does not say how many repeats; its companion says 5.
  accuracy = {"seeds": 5, "source": POST, "dataset": "mnist", "step": 1000}
  curve = {"steps": ITERATIONS, "source": POST, "dataset": "mnist"}
  config.published = {
    "batch_norm_as_published": {
      "test_accuracy": {"mean": 0.8853, "std": 0.0079, **accuracy},
      "loss": {"values": LOSS, **curve},
    },
    "no_batch_norm": {
      "test_accuracy": {"mean": 0.1388, "std": 0.0219, **accuracy},
      "loss": {"values": LOSS_WITHOUT, **curve},
    },
  }
  config.claims = {
    "robust_to_initialization": {
      "text": "With dropout, batch norm rescues the bad initialization",
      "metric": "test_accuracy",
      "arm": "batch_norm",
      "versus": "no_batch_norm",
      "direction": "greater",
      "margin": 0.0,
    },
  }
  return config
