"""What do scale and bias of batch norm do alone, all else as it was drawn?

Frankle, Schwab and Morcos (2021): of deep random networks they learn more than
as many other weights, the deeper the more, and partly by switching units off.
Networks of 2 to 16 layers, all with batch norm, of which scales and biases are
trained (`norm_...`), two random weights of each hidden unit, which are as many
parameters (`weights_...`), the classifier alone (`output_...`), or everything
(`all_...`).

  python scripts/train.py --config=configs/only_batch_norm.py:mnist
"""

import itertools

from bnjax.lab.config import base, finish, parse
from bnjax.lab.results import Field, Layers, Rules, greater

DEPTHS = (2, 4, 8, 16)
TRAINED = {
  "norm": {"trained": ("norm_*",)},
  "weights": {"trained": ("dense_*/kernel",), "trained_weights": 2},
  "output": {"trained": ("output/*",)},
  "all": {},
}


def get_config(arg="mnist"):
  """The experiment on the data set that `arg` names, small if it says smoke."""
  options = parse(arg)
  config = base(model="mlp", optimizer="adam")
  config.dataset.name = options.dataset
  config.model.update(width=64, init="he")
  config.optimizer.learning_rate = 0.01
  config.update(batch_size=64, steps=500, eval_every=500, seeds=5)
  config.probes = {
    "small": {
      "measure": "zero_fraction",
      "of": "parameter",
      "layers": "norm_*/scale",
      "threshold": 0.01,
    },
    "rank": {"measure": "effective_rank", "layers": "activation_*"},
  }
  config.arms = {
    f"{name}_{depth}": own | {"model": {"depth": depth}}
    for name, own in TRAINED.items()
    for depth in DEPTHS
  }
  return finish(config, options)


def get_rules(config):
  """What is claimed and published of it, and what its report shows."""
  claims = {}
  for depth in DEPTHS:
    own = {"setting": f"{depth} layers"}
    claims[f"weights_{depth}"] = greater(
      "Scale and bias are over ten points better than as many weights",
      f"norm_{depth}",
      f"weights_{depth}",
      margin=0.1,
      published="CIFAR-10, 32 to 110 layers: 50 to 54% and 31 to 45%",
      **own,
    )
    claims[f"output_{depth}"] = greater(
      "They are over ten points better than the classifier alone",
      f"norm_{depth}",
      f"output_{depth}",
      margin=0.1,
      **own,
    )
    claims[f"small_{depth}"] = greater(
      "Alone, they switch more units of the last layer off",
      f"norm_{depth}",
      f"all_{depth}",
      f"small/norm_{depth - 1}/scale",
      published="scales below .01: 27% alone, 9% where all is trained",
      **own,
    )
  for less_deep, deeper in itertools.pairwise(DEPTHS):
    claims[f"deeper_{deeper}"] = greater(
      "Scale and bias alone: the deeper the better",
      f"norm_{deeper}",
      f"norm_{less_deep}",
      setting=f"{deeper} and {less_deep} layers",
      published="48% at 14 layers to 83% at 866, residual",
    )
  return Rules(
    claimed={
      "Frankle et al. 2020": ("*",),
    },
    title="Only batch norm",
    notes=(
      "Adam, rate .01, in all arms. Scale and bias of 64 units a layer are 128 "
      "parameters a layer, as are two weights of each unit; the classifier has "
      "650. Nothing was run before the claims.",
    ),
    claims=claims,
    figures={
      "depth": Field(
        x="model.depth",
        metrics=("test_accuracy",),
        groups={
          label: tuple(f"{name}_{depth}" for depth in DEPTHS)
          for name, label in (
            ("all", "everything"),
            ("norm", "scale and bias"),
            ("weights", "two weights a unit"),
            ("output", "the classifier"),
          )
        },
        label="hidden layers",
      ),
      "rank": Layers(
        probe="rank",
        arms=tuple(f"{name}_{DEPTHS[-1]}" for name in TRAINED),
        log_y=False,
        title="Directions in which 1,000 examples differ, by layer",
        label="effective rank",
      ),
    },
  )
