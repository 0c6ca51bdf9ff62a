"""Section 4.1 of the batch norm paper: three sigmoid layers on binary MNIST.

Test accuracy over 50,000 steps of 60 examples, and the {15, 50, 85}th
percentiles of the input of one sigmoid of the last hidden layer: Figure 1. The
paper gives neither the learning rate nor the initialization: the grid shows how
much hangs on them. Rate 0.5 and N(0, 0.1^2) are a known reimplementation's.
Shares of each hidden layer's sigmoids: `saturated`, whose output is within .05
of 0 or 1, and `beyond_linear`, whose input is outside of -1 to 1, the part that
is a straight line but for .021.

  python scripts/train.py --config=configs/sigmoid_percentiles.py:mnist
"""

import math

from bnjax.lab.config import base, finish, parse
from bnjax.lab.results import (
  Curves,
  Percentiles,
  Rules,
  greater,
  less,
)

RATES, SCALES = (0.1, 0.5), (0.01, 0.1)
LINEAR = 1 / (1 + math.exp(1.0))  # the sigmoid of -1


def get_config(arg="mnist"):
  """The experiment on the data set that `arg` names, small if it says smoke."""
  options = parse(arg)
  config = base(model="mlp", optimizer="sgd")
  config.dataset.update(name=options.dataset, transform="binary", center=False)
  config.model.update(width=100, depth=3, activation="sigmoid", init="normal")
  config.update(
    batch_size=60, steps=50_000, eval_every=1000, probe_every=250, seeds=5
  )
  config.machine.across = "map"
  config.grid = {
    "optimizer": {"learning_rate": RATES},
    "model": {"init_scale": SCALES},
  }
  config.probes.sigmoid_input = {
    "measure": "percentiles",
    "layers": "preactivation_2",
    "unit": 0,
    "q": (15.0, 50.0, 85.0),
  }
  share = {"measure": "saturated_fraction", "layers": "activation_*"}
  config.probes.saturated = share | {"margin": 0.05}
  config.probes.beyond_linear = share | {"margin": LINEAR}
  return finish(config, options)


def get_rules(config):
  """What is claimed and published of it, and what its report shows."""
  points = [(rate, scale) for rate in RATES for scale in SCALES]
  at = "@learning_rate=0.5,init_scale=0.1"
  accuracy, layer = f"test_accuracy{at}", "sigmoid_input/preactivation_2"
  faster = "With batch norm the test accuracy is higher after 10,000 steps"
  better = "With batch norm the final test accuracy is higher"
  stable = "Without batch norm a sigmoid's median input wanders further"
  edge = "With batch norm the {}th percentile stays within 1 of where it was"
  fewer = "In the end fewer sigmoids are saturated with batch norm"
  few = "With batch norm a twentieth of the sigmoids at most is ever saturated"
  beyond = "With batch norm half of the sigmoids end beyond their linear part"
  arms = ("batch_norm", "no_batch_norm")
  claims = {
    "faster": greater(faster, *arms, accuracy, step=10_000),
    "better": greater(better, *arms, accuracy),
  }
  for rate, scale in points:
    where = f"@learning_rate={rate},init_scale={scale}"
    own = {"setting": f"rate {rate}, N(0, {scale}²)"}
    name = "" if where == at else f"_{rate}_{scale}"
    claims[f"stable{name}"] = greater(
      stable, *reversed(arms), f"range:{layer}[1]{where}", **own
    )
    for place, q in ((0, 15), (2, 85)):
      claims[f"stays_{q}{name}"] = less(
        edge.format(q),
        "batch_norm",
        1.0,
        f"range:{layer}[{place}]{where}",
        **own,
      )
    saturated = f"saturated/activation_2{where}"
    claims |= {
      f"fewer_saturated{name}": less(fewer, *arms, saturated, **own),
      f"few_saturated{name}": less(
        few, "batch_norm", 0.05, f"max:{saturated}", **own
      ),
      f"beyond{name}": greater(
        beyond, "batch_norm", 0.5, f"beyond_linear/activation_2{where}", **own
      ),
    }
  return Rules(
    claimed={
      "Ioffe and Szegedy 2015": (
        "faster",
        "better",
        "stable*",
        "fewer_*",
      ),
    },
    title="The paper's MNIST experiment: sigmoids and their inputs",
    claims=claims,
    notes=(
      "The paper shows that the distribution of a sigmoid's input is stable "
      "with batch norm: its middle and its width are judged, at every point of "
      "the grid.",
      "The claims about accuracy and percentiles had been judged on three "
      "seeds before this run of five, which has those three again. The claims "
      "about saturation and the linear part were written before either had "
      "been measured, when it was known from the three seeds that with batch "
      "norm the percentiles come to lie between -2.7 and 2.1.",
    ),
    figures={
      "accuracy": Curves(metrics=(accuracy,), low=0.7),
      "percentiles": Percentiles(
        probe="sigmoid_input",
        layer=f"preactivation_2{at}",
        label="input of one sigmoid",
      ),
      "saturation": Curves(
        metrics=tuple(
          f"{share}/activation_2{at}"
          for share in ("saturated", "beyond_linear")
        ),
        low=0.0,
        high=1.0,
      ),
      "sensitivity": Curves(
        metrics=tuple(
          f"test_accuracy@learning_rate={r},init_scale={s}" for r, s in points
        ),
        titles=tuple(f"rate {r}, N(0, {s}²)" for r, s in points),
        low=0.0,
        high=1.0,
      ),
    },
  )
