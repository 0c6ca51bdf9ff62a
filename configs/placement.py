"""Before or after the activation, with or without the layer's own bias?

The 2015 paper normalizes before the activation and drops the bias; the report
on the CNN normalizes after activation and pool; the 2018 post after the ReLU.
There are 20 seeds of the MLP and 5 of the CNN, since 3 of each had left four
claims undecided, and 18 and 5 were asked for to decide three of them.

  python scripts/train.py --config=configs/placement.py:mnist
"""

from bnjax.lab.config import NO_NORM, base, finish, parse
from bnjax.lab.results import Final, Rules, greater, within

MLP = {
  "model": {"name": "mlp", "width": 256, "depth": 2, "init": "he"},
  "seeds": 20,
}
CNN = {
  "seeds": 5,
  "model": {"name": "lenet", "init": "he", "placement": "before"},
  "dataset": {"transform": "rgb32"},
}
PLACES = {"mlp": ("before", "after"), "cnn": ("before", "after", "after_pool")}


def get_config(arg="mnist"):
  """The experiment on the data set that `arg` names, small if it says smoke."""
  options = parse(arg)
  config = base(model="mlp", optimizer="sgd")
  config.dataset.name = options.dataset
  config.optimizer.learning_rate = 0.1
  config.update(batch_size=64, steps=1000, eval_every=1000)
  config.arms = {}
  for name, network in (("mlp", MLP), ("cnn", CNN)):
    for place in PLACES[name]:
      for bias, use_bias in (("", False), ("_bias", True)):
        own = {"placement": place, "use_bias": use_bias}
        model = {"model": network["model"] | own}
        config.arms[f"{name}_{place}{bias}"] = network | model
    config.arms[f"{name}_none"] = NO_NORM | network
  return finish(config, options)


def get_rules(config):
  """What is claimed and published of it, and what its report shows."""
  better = "before the activation is better than after"
  same = "the bias before batch norm makes no difference"
  one = "batch norm is better than none"
  arms = "cnn_before", "cnn_after_pool"
  claims = {"pool": greater(f"CNN: {better} the pool", *arms)}
  for name in PLACES:
    before, network = f"{name}_before", name.upper()
    claims[name] = greater(f"{network}: {better} it", before, f"{name}_after")
    claims[f"{name}_bias"] = within(
      0.005, f"{network}: {same}", f"{before}_bias", before
    )
    claims[f"{name}_one"] = greater(f"{network}: {one}", before, f"{name}_none")
  return Rules(
    claimed={
      "Ioffe and Szegedy 2015": (
        "pool",
        "mlp",
        "cnn",
        "*_one",
        "*_bias",
      ),
    },
    title="Placement of batch norm, and the bias before it",
    claims=claims,
    notes=(
      "Three seeds, which are among these, had been judged before this run. "
      "The two claims that batch norm is better than none were added after "
      "those.",
    ),
    figures={"final": Final(metrics=("test_accuracy",))},
  )
