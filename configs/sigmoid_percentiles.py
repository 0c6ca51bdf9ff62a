"""Section 4.1 of the batch norm paper: three sigmoid layers on binary MNIST.

Test accuracy over 50,000 steps of 60 examples, and the {15, 50, 85}th
percentiles of the input of one sigmoid of the last hidden layer: Figure 1. The
paper gives neither the learning rate nor the initialization: the grid shows how
much hangs on them. Rate 0.5 and N(0, 0.1^2) are a known reimplementation's.

  python scripts/train.py --config=configs/sigmoid_percentiles.py:mnist
"""

from bnjax.lab.config import base, finish, parse
from bnjax.lab.shorthands import greater


def get_config(arg="mnist"):
  """The experiment on the data set that `arg` names, small if it says smoke."""
  options = parse(arg)
  config = base(model="mlp", optimizer="sgd")
  config.title = "The paper's MNIST experiment: sigmoids and their inputs"
  config.dataset.update(name=options.dataset, transform="binary", center=False)
  config.model.update(width=100, depth=3, activation="sigmoid", init="normal")
  config.update(
    batch_size=60, steps=50_000, eval_every=1000, probe_every=250, seeds=3
  )
  rates, scales = (0.1, 0.5), (0.01, 0.1)
  config.grid = {
    "optimizer": {"learning_rate": rates},
    "model": {"init_scale": scales},
  }
  config.probes.sigmoid_input = {
    "measure": "percentiles",
    "layers": "preactivation_2",
    "unit": 0,
    "q": (15.0, 50.0, 85.0),
  }
  where = [f"learning_rate={r},init_scale={s}" for r in rates for s in scales]
  points = tuple(f"test_accuracy@{point}" for point in where)
  titles = tuple(f"rate {r}, N(0, {s}²)" for r in rates for s in scales)
  at = "@learning_rate=0.5,init_scale=0.1"
  accuracy, median = f"test_accuracy{at}", "sigmoid_input/preactivation_2[1]"
  faster = "With batch norm the test accuracy is higher after 10,000 steps"
  better = "With batch norm the final test accuracy is higher"
  stable = "Without batch norm a sigmoid's median input wanders further"
  arms = ("batch_norm", "no_batch_norm")
  config.claims = {
    "faster": greater(faster, *arms, accuracy, step=10_000),
    "better": greater(better, *arms, accuracy),
    "stable": greater(stable, *reversed(arms), f"range:{median}{at}"),
  }
  whole = {"kind": "curves", "low": 0.0, "high": 1.0}
  config.figures = {
    "accuracy": {"kind": "curves", "metrics": (accuracy,), "low": 0.7},
    "percentiles": {
      "kind": "percentiles",
      "probe": "sigmoid_input",
      "layer": f"preactivation_2{at}",
      "label": "input of one sigmoid",
    },
    "sensitivity": {"metrics": points, "titles": titles, **whole},
  }
  return finish(config, options)
