"""Does batch norm make training robust to a bad initialization?

The first test of "Implementing BatchNorm in Neural Net" (2016): every weight
drawn from N(0, 1), dropout, Adam, with and without batch norm. The post says
784-256-256-10 and minibatches of 256; its numbers and its losses are those of
width 100 and minibatches of 128 (arms `..._width_100`), with an error in the
backward pass of layer 1 (`as_published` repeats it). Dropout matters more than
the post says: without it this initialization trains by itself.

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
  config.seeds = 2 if smoke else 3 if dataset == "mnist5k" else 5  # how many
  config.seed = 0  # the first
  no_dropout = {"dropout_rate": 0.0}
  as_published = {"derivative": "as_published"}
  config.arms = {
    "batch_norm": {},
    "batch_norm_as_published": {"model": as_published},
    "no_batch_norm": {"norm": {"name": "none"}},
    "batch_norm_no_dropout": {"model": no_dropout},
    "no_batch_norm_no_dropout": {"norm": {"name": "none"}, "model": no_dropout},
    "batch_norm_as_published_width_100": {
      "model": {"width": 100, **as_published},
      "batch_size": 128,
    },
    "no_batch_norm_width_100": {
      "norm": {"name": "none"},
      "model": {"width": 100},
      "batch_size": 128,
    },
  }
  # The post does not say how many repeats; its companion says 5.
  accuracy = {"seeds": 5, "source": POST, "dataset": "mnist", "step": 1000}
  curve = {"steps": ITERATIONS, "source": POST, "dataset": "mnist"}
  batch_norm = {
    "test_accuracy": {"mean": 0.8853, "std": 0.0079, **accuracy},
    "loss": {"values": LOSS, **curve},
  }
  no_batch_norm = {
    "test_accuracy": {"mean": 0.1388, "std": 0.0219, **accuracy},
    "loss": {"values": LOSS_WITHOUT, **curve},
  }
  config.published = {
    "batch_norm_as_published": batch_norm,
    "no_batch_norm": no_batch_norm,
    "batch_norm_as_published_width_100": batch_norm,
    "no_batch_norm_width_100": no_batch_norm,
  }
  config.claims = {
    "rescue": greater(
      "With dropout, batch norm rescues this initialization",
      "batch_norm",
      "no_batch_norm",
    ),
    "needs_rescue": greater(
      "It is dropout that makes this initialization need rescue",
      "no_batch_norm_no_dropout",
      "no_batch_norm",
    ),
    "backward_error": greater(
      "The published backward pass costs accuracy",
      "batch_norm",
      "batch_norm_as_published",
    ),
  }
  config.notes = (
    "The post states width 256 and minibatches of 256. Its losses without "
    "batch norm start near 45, which is the L2 term 0.5 * 1e-3 * 89,400 of a "
    "784-100-100-10 network of N(0, 1) weights; with width 256 it is 134.",
  )
  return config


def greater(text: str, arm: str, versus: str) -> dict[str, str | float]:
  """The claim that `arm` has a higher test accuracy than `versus`."""
  return {
    "text": text,
    "metric": "test_accuracy",
    "arm": arm,
    "versus": versus,
    "direction": "greater",
    "margin": 0.0,
  }
