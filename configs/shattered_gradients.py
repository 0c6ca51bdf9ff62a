"""What does the gradient of a deep network look like along a line of inputs?

Balduzzi et al. (2017): in deep plain networks it changes from one input to the
next as noise does, the more so with batch norm; with skip connections it does
so far less. What is measured is the autocorrelation of the derivative of the
output with respect to a single input, at 256 points from -2 to 2. Batch norm's
statistics are those of these points (of variances 256/255 times as much), and
held fixed in the derivative, which is then that of a function of one number; in
`..._batch_...` they are not. Nothing is trained.

  python scripts/train.py --config=configs/shattered_gradients.py
"""

from bnjax.lab.config import NO_NORM, base, finish, parse
from bnjax.lab.results import Fan, Rules, Strips, greater, less, within

LAGS = (1, 5, 15)
POINTS = 256
FIXED = {"norm": {"name": "frozen_batch_norm"}, "population_batches": 1}
KINDS = {
  "plain": (NO_NORM, {"skip": False}),
  "plain_norm": (FIXED, {"skip": False}),
  "residual": (NO_NORM, {}),
  "residual_norm": (FIXED, {"branch_scale": 0.1}),
}
DEPTHS = (24, 50)


def get_config(arg="line"):
  """The experiment; with `smoke` of two seeds."""
  options = parse(arg, dataset="line")
  config = base(model="residual_mlp", loss="sum")
  config.dataset.update(name=options.dataset, center=False)
  config.model.update(width=200, depth=24, branch_layers=1)
  config.update(batch_size=POINTS, steps=0, seeds=10, probe_examples=POINTS)
  derivative = {"of": "output_gradient", "layers": "input", "unit": 1}
  config.probes = {
    "correlation": {
      "measure": "autocorrelation", "lags": LAGS, **derivative,
    },
    "gradient": {"measure": "values", **derivative},
  }  # fmt: skip
  config.arms = {
    f"{kind}_{depth}": norm | {"model": fields | {"depth": depth}}
    for depth in DEPTHS
    for kind, (norm, fields) in KINDS.items()
  }
  config.arms = config.arms.to_dict() | {
    "plain_batch_norm_24": {"model": {"skip": False}},
    "residual_whole_norm_24": FIXED,
  }
  return finish(config, options)


def get_rules(config):
  """What is claimed and published of it, and what its report shows."""
  near, further = "correlation/input[0]", "correlation/input[1]"
  noise = "Without skips and with batch norm neighbours are uncorrelated"
  keeps = "With a residual branch of a tenth they are correlated by over a half"
  claims = {
    f"noise_{arm}": within(0.15, noise, arm, 0.0, near, setting=setting)
    for arm, setting in (
      ("plain_norm_24", "24 layers"),
      ("plain_norm_50", "50 layers"),
      ("plain_batch_norm_24", "24 layers, statistics not held fixed"),
    )
  }
  for depth in DEPTHS:
    at = {"setting": f"{depth} layers"}
    claims |= {
      f"shatters_{depth}": less(
        "Without skips batch norm takes over a half of the correlation",
        f"plain_norm_{depth}",
        f"plain_{depth}",
        near,
        margin=0.5,
        **at,
      ),
      f"keeps_{depth}": greater(
        keeps, f"residual_norm_{depth}", 0.5, near, **at
      ),
      f"more_{depth}": greater(
        "With it more than with skips alone, five points away",
        f"residual_norm_{depth}",
        f"residual_{depth}",
        further,
        **at,
      ),
    }
  claims |= {
    "deeper": less(
      "Without skips and batch norm neighbours are less alike the deeper",
      "plain_50",
      "plain_24",
      near,
    ),
    "skips": greater(
      "Skips alone keep neighbours more alike than none, 50 layers",
      "residual_50",
      "plain_50",
      near,
    ),
    "whole": greater(
      "With a whole branch and batch norm they are correlated by over a half",
      "residual_whole_norm_24",
      0.5,
      near,
    ),
  }
  four = tuple(f"{kind}_24" for kind in KINDS)
  return Rules(
    claimed={
      "Balduzzi et al. 2017": (
        "noise_*",
        "shatters_*",
        "keeps_*",
        "more_*",
        "deeper",
        "skips",
      ),
    },
    title="Shattered gradients: the derivative along a line of inputs",
    notes=(
      "Eight networks of each kind by NumPy were seen before these claims "
      "stood, with a correlation of neighbours of .88 and .73 (24 and 50 "
      "plain layers), -.04 and -.01 (with batch norm), .90 and .80 (residual) "
      "and .75 (24, whole branch, batch norm); other simulations had .91 for "
      "50 layers with a branch of a tenth.",
    ),
    claims=claims,
    figures={
      "strips": Strips(
        probe="gradient",
        x=(-2.0, 2.0),
        arms=(*four, *(f"{kind}_50" for kind in KINDS)),
        title="The derivative of the output along the input",
        label="derivative",
        x_label="input",
      ),
      "correlation": Fan(
        probe="correlation",
        x=LAGS,
        arms=(*four, *(f"{kind}_50" for kind in KINDS)),
        log_y=False,
        title="Autocorrelation of the derivative",
        label="autocorrelation",
        x_label="points apart, of 256",
      ),
    },
  )
