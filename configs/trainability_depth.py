"""How deep may a network with batch norm be, by its minibatches?

With batch norm gradients grow from layer to layer by a factor of the batch size
alone (`gradient_growth`). Yang et al. (2019): plain ReLU networks train up to a
depth of 16 ξ and no further, ξ being the layers in which a gradient's square
grows by e, so that larger minibatches train deeper ones. Here are networks of 5
to 64 layers at four sizes of the minibatch, the rate in proportion to it, each
trained on as many examples: the sum of its rates is 6, as in the paper.

  python scripts/train.py --config=configs/trainability_depth.py:mnist
"""

from bnjax.lab.config import base, finish, parse
from bnjax.lab.literature import trainable_depth
from bnjax.lab.results import Field, HeatMap, Rules, greater, less

SIZES = (4, 8, 32, 128)
DEPTHS = (5, 10, 18, 28, 42, 64)
EXAMPLES = 20_000  # that are seen, four epochs
RATE = 6 / EXAMPLES  # times the batch size
SOME = (4, 5, 6, 8, 11, 16, 23, 32, 45, 64, 91, 128, 256)


def get_config(arg="mnist"):
  """The experiment on the data set that `arg` names, small if it says smoke."""
  options = parse(arg)
  config = base(model="mlp", optimizer="sgd")
  config.dataset.update(name=options.dataset, examples=5000)
  config.model.update(width=128, init="he")
  config.norm.epsilon = 1e-3
  config.seeds = 5
  config.grid = {"model": {"depth": (2, 3, 4) if options.smoke else DEPTHS}}
  config.arms = {
    f"batch_{size}": {
      "batch_size": size,
      "steps": EXAMPLES // size,
      "eval_every": EXAMPLES // size // 4,
      "evaluate_at": (EXAMPLES // size,),
      "optimizer": {"learning_rate": RATE * size},
    }
    for size in SIZES
  }
  return finish(config, options)


def get_rules(config):
  """What is claimed and published of it, and what its report shows."""
  depths = sorted(config["grid"]["model"]["depth"])
  middle = depths[len(depths) // 2]
  claims = {}
  for size in SIZES:
    limit = trainable_depth(size)
    shallow = max((d for d in depths if d < limit / 2), default=depths[0])
    deep = min((d for d in depths if d > limit * 1.5), default=depths[-1])
    claims[f"trains_{size}"] = greater(
      "Half as deep as the limit a network trains, to 50%",
      f"batch_{size}",
      0.5,
      f"test_accuracy@depth={shallow}",
      setting=f"minibatches of {size}, {shallow} layers, limit {limit:.0f}",
    )
    claims[f"fails_{size}"] = less(
      "One and a half times as deep it does not: below 20%",
      f"batch_{size}",
      0.2,
      f"test_accuracy@depth={deep}",
      setting=f"minibatches of {size}, {deep} layers, limit {limit:.0f}",
    )
  claims |= {
    "border": greater(
      "Minibatches of 128 train deeper networks than those of 8",
      "batch_128",
      "batch_8",
      "largest_depth",
      times=1.0,
    ),
    "middle": greater(
      "As deep as where the limits lie they train better with 128 than with 8",
      "batch_128",
      "batch_8",
      f"test_accuracy@depth={middle}",
      setting=f"{middle} layers",
    ),
  }
  return Rules(
    claimed={"Yang et al. 2019": ("*",)},
    title="How deep a network with batch norm may be, by its minibatches",
    notes=(
      "On 5,000 examples, each seen four times, by plain gradient descent at a "
      "rate of 3e-4 times the minibatch (the paper: 1e-5, 600,000 examples). "
      "Accuracy is of the test set, by running statistics. Before the claims "
      "stood, one seed was seen with 10, 28 and 64 layers: .85, .48, .12 with "
      "128, .79, .17, .09 with 8.",
    ),
    grid_metric="test_accuracy",
    grid_threshold=0.5,
    claims=claims,
    figures={
      "trains": HeatMap(
        x="model.depth",
        y="batch_size",
        title="Test accuracy by depth and minibatch",
        x_label="hidden layers",
        y_label="minibatch",
        lines={
          "16 ξ, Yang et al. 2019": tuple(
            (trainable_depth(size), size) for size in SOME
          )
        },
      ),
      "depth": Field(
        x="model.depth", metrics=("test_accuracy",), label="hidden layers"
      ),
    },
  )
