"""Where in a deep network does one update that is too large do its damage?

Bjorck et al. (2018): while one diverging update of a ResNet-110 is applied,
from nothing to all of it, activations explode in the deep layers: those of
layer 8 are at about 1, of layer 80 at 3e8. Here: a plain network and the same
with batch norm, the first update, at a rate that trains and at two that are far
too large.

  python scripts/train.py --config=configs/one_update.py:mnist
"""

from bnjax.lab.config import NO_NORM, base, finish, parse
from bnjax.lab.results import Fan, Rules, greater, within

# The best rate without batch norm in learning_rate_limits, the one that it
# calls large, and one four times as large.
RATES = {"small": 0.16, "large": 10.24, "larger": 40.96}
TOO_LARGE = ("large", "larger")
SHARES = tuple(round(0.1 * i, 1) for i in range(11))
DEPTH = 20
LAYERS = (5, 10, 15, DEPTH)  # beside the first one, counted from 1


def get_config(arg="mnist"):
  """The experiment on the data set that `arg` names, small if it says smoke."""
  options = parse(arg)
  config = base(model="mlp", optimizer="sgd")
  config.dataset.name = options.dataset
  config.model.update(width=64, depth=DEPTH, init="he")
  config.update(batch_size=500, steps=1, probe_examples=500)
  config.update(seed=20, seeds=30)
  config.grid = {"optimizer": {"learning_rate": tuple(RATES.values())}}
  config.arms = {"none": NO_NORM, "batch_norm": {}}
  config.probes.size = {
    "measure": "root_mean_square",
    "layers": "activation_*",
    "update_shares": SHARES,
  }
  return finish(config, options)


def get_rules(config):
  """What is claimed and published of it, and what its report shows."""

  def ratio(name, share=1.0, layer=DEPTH):
    """A layer's size over the first one's, with a share of the update."""
    rate = RATES[name]
    size = lambda layer: (
      f"size/activation_{layer - 1}[{SHARES.index(share)}]@learning_rate={rate}"
    )
    return {
      "versus": None,
      "metric": size(layer),
      "versus_metric": size(1),
      "step": 0,
      "setting": f"rate {rate}, layer {layer}",
    }

  claims = {}
  for name in TOO_LARGE:
    claims[f"explodes_{name}"] = greater(
      "The whole update, no batch norm: layer 20 is over 100 times layer 1",
      "none",
      times=100.0,
      published="layer 8: 1, layer 44: 3e3, layer 80: 3e8",
      **ratio(name),
    )
    claims[f"halfway_{name}"] = greater(
      "Half of it, no batch norm: layer 20 is over ten times layer 1",
      "none",
      times=10.0,
      **ratio(name, 0.5),
    )
    for layer in LAYERS:
      claims[f"stays_{name}_{layer}"] = within(
        10.0,
        "The whole update with batch norm: all layers within tenfold of the "
        "first",
        "batch_norm",
        ratio=True,
        **ratio(name, layer=layer),
      )
    claims[f"diverges_{name}"] = greater(
      "The update diverges as they call it: a loss over 1,000",
      "none",
      1.0,
      f"test_loss@learning_rate={RATES[name]}",
      times=1000.0,
      step=1,
      setting=f"rate {RATES[name]}",
    )
  claims["before"] = within(
    10.0,
    "Before it, no batch norm: the last layer is within tenfold of the first",
    "none",
    ratio=True,
    **ratio("large", 0.0),
  )
  claims["small"] = within(
    10.0,
    "An update at a rate that trains, no batch norm: likewise",
    "none",
    ratio=True,
    **ratio("small"),
  )
  shown = {
    "probe": "size",
    "x": SHARES,
    "by_layer": True,
    "step": 0,
    "log_x": False,
    "x_label": "share of the update",
    "label": "root mean square of activations",
  }
  return Rules(
    claimed={
      "Bjorck et al. 2018": tuple(f"explodes_{name}" for name in TOO_LARGE)
    },
    title="One update that is too large, layer by layer",
    notes=(
      "The first update, by the gradient of 500 training examples on which the "
      "activations are measured, too; parameters are moved by 0 to 100% of it. "
      "The loss is that of the test set after a step on other 500. Before the "
      "claims stood, two seeds on 2,000 examples were seen: layer 20 at "
      f"{RATES['large']} 530 and 160 times layer 1 without batch norm, .4 "
      f"with it, and at {RATES['larger']} .1 with it. Then seeds 0 to 4 ran: "
      "without "
      "batch norm they differ by orders of magnitude, so that 8 of 16 claims "
      "were undecided, and 25 seeds would decide. These are 30 others, judged "
      "by the same rules, but for the loss: its ratio to 1 in the place of its "
      "difference to 1,000.",
    ),
    claims=claims,
    figures={
      name: Fan(
        at=f"learning_rate={RATES[name]}",
        title=f"Activations along one update at rate {RATES[name]}",
        **shown,
      )
      for name in (*TOO_LARGE, "small")
    },
  )
