"""A learning rate that explodes, and changes nothing.

Where batch norm follows every matrix that is trained, what a network computes
does not depend on how large these are, and the L2 term acts through the rate
alone (van Laarhoven 2017). Li and Arora (2019): gradient descent without it,
at a rate that grows exponentially, goes through the same functions. All else
(scales, biases, the classifier) is left as it was drawn, and epsilon is 0, as
the identity needs. The arm `no_norm` has the growing rate without batch norm.

  python scripts/train.py --config=configs/effective_rate.py:mnist
"""

from bnjax.lab.config import NO_NORM, base, finish, parse
from bnjax.lab.literature import number
from bnjax.lab.results import Curves, Rules, greater, less, within

RATE, L2 = 0.2, 0.025
LAYERS = ("dense_0", "dense_1")


def get_config(arg="mnist"):
  """The experiment on the data set that `arg` names, small if it says smoke."""
  options = parse(arg)
  config = base(model="mlp", optimizer="sgd")
  config.dataset.update(name=options.dataset, examples=5000)
  config.model.update(width=32, depth=2, init="he", use_bias=False)
  config.norm.epsilon = 0.0
  config.optimizer.learning_rate = RATE
  # Without an L2 term to do without, it is the constant rate.
  config.schedule.update(name="undecayed", l2=0.0)
  config.trained = ("dense_*/kernel",)
  config.precision = "float64"
  config.update(batch_size=64, steps=2400, eval_every=100, seeds=5)
  config.update(evaluate_at=(2400,), population_batches=10)
  config.probe_examples = 64
  of_layers = {"measure": "norm", "layers": "dense_*/kernel"}
  config.probes = {
    "weights": of_layers | {"of": "parameter"},
    "turn": of_layers | {"of": "update", "relative": True},
  }
  growing = {"schedule": {"l2": L2}}
  config.arms = {
    "decay": {"l2": L2},
    "growing_rate": growing,
    "neither": {},
    "no_norm": NO_NORM | growing | {"steps": 1000},
  }
  return finish(config, options)


def get_rules(config):
  """What is claimed and published of it, and what its report shows."""
  dataset = config["dataset"]["name"]
  pair, weights = ("growing_rate", "decay"), "weights/dense_1/kernel"
  same = "Without decay, at the growing rate, it is the same network, to 1e-10"
  balance = (2 * RATE * L2) ** 0.5
  claims = {
    "same_loss": within(
      1e-10,
      same,
      *pair,
      "train_loss",
      setting="training loss",
    ),
    "same_accuracy": within(
      1e-10,
      same,
      *pair,
      "population_test_accuracy",
      setting="test accuracy by population statistics",
    ),
    "decay_acts": greater(
      "An L2 term is not idle: without it, at a constant rate, the training "
      "loss ends lower by over .05",
      "decay",
      "neither",
      "train_loss",
      margin=0.05,
    ),
    "no_norm": less(
      "Without batch norm the growing rate ends below 20%",
      "no_norm",
      0.2,
      "train_accuracy",
    ),
  }
  claims |= {
    f"balance_{arm}_{layer}": within(
      1.2,
      "A step turns a layer by √(2 rate l2), to a fifth, whatever the "
      "network: median over training",
      arm,
      balance,
      f"median:turn/{layer}/kernel",
      ratio=True,
      setting=f"{arm.replace('_', ' ')}, {layer}",
    )
    for arm in pair
    for layer in LAYERS
  }
  return Rules(
    claimed={
      "Li and Arora 2019": ("same_*",),
      "van Laarhoven 2017": ("balance_*",),
    },
    title="The rate that explodes and changes nothing",
    notes=(
      "In float64, on 5,000 training examples, each arm the same "
      "minibatches. The training loss is the mean of the last 100 steps' "
      "minibatches, by their own statistics. Running averages lag behind "
      "weights that grow, so test accuracy is by statistics of 10 "
      "minibatches at the last weights. Before the claims stood, two seeds "
      "were seen at these settings, for 4,600 steps: losses equal to 1e-15 "
      "throughout. At rate .5, L2 .01 and three layers of 64, seen with the "
      "L2 rounded to float32, 1e-8 off, they came to differ by 1e-7 after "
      "800 steps and by a hundredth after 1,100: such a network amplifies "
      "what is rounded.",
    ),
    published=tuple(
      number(
        "growing_rate",
        f"weights/{layer}/kernel",
        (1 - RATE * L2) ** -config["steps"],
        factor=1.0001,
        relative_to="decay",
        source="Li and Arora 2019, arXiv:1910.07454: the closed form",
        dataset=dataset,
        step=config["steps"],
      )
      for layer in LAYERS
    ),
    claims=claims,
    figures={
      "explodes": Curves(
        metrics=("learning_rate", weights, "train_loss"),
        arms=("decay", "growing_rate", "neither"),
        titles=(
          "Learning rate",
          "Norm of the second layer's weights",
          "Training loss: the growing rate's line lies upon that of decay",
        ),
        claims=("", "", "same_loss"),
      ),
      "turn": Curves(
        metrics=("turn/dense_0/kernel", "turn/dense_1/kernel"),
        arms=("decay", "growing_rate", "neither"),
        titles=(
          "What a step is to the first layer's weights",
          "and to the second layer's",
        ),
        label="|update| / |weights|",
      ),
      "no_norm": Curves(
        metrics=("train_accuracy",),
        arms=("growing_rate", "no_norm"),
        title="Without batch norm the growing rate ends training",
      ),
    },
  )
