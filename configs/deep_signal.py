"""Signals through 20 layers at initialization, forward and back.

"Training very deep networks with Batchnorm" (2018). `as_published` repeats it:
it normalizes over features, which is layer norm; two terms of its backward
formula are wrong; and its figures are labelled from the wrong end: "layer 2" is
layer 19. `right_formula` mends the formula, `right_axis` also has batch norm.
Nothing is trained. Each seed draws its own examples and entering gradient.
Layers count from 0 here: `dense_18` is layer 19.

  python scripts/train.py --config=configs/deep_signal.py
"""

from bnjax.lab import literature
from bnjax.lab.config import NO_NORM, base, finish, parse
from bnjax.lab.results import (
  Histograms,
  Layers,
  Rules,
  greater,
  less,
  within,
)

INITS = literature.VERY_DEEP_INITS
BATCH = ("batch_norm_before", "batch_norm_after")
OWN = (*BATCH, "layer_norm_before", "layer_norm_after")
POST = ("as_published", "right_formula", "right_axis")
SEEN = (0, 9, 18)  # layers of histograms


def get_config(arg="gaussian"):
  """The experiment; with `smoke` of two seeds."""
  options = parse(arg, dataset="gaussian")
  config = base(model="deep", loss="sum")
  config.dataset.update(name=options.dataset, center=False)
  config.model.update(width=100, depth=20, init="normal", init_scale=0.01)
  config.model.redraw = True
  config.norm.epsilon = 0.0
  config.loss.scale = 0.01
  config.precision = "float64"
  config.update(batch_size=1000, steps=0, seeds=10)
  config.arms = {}
  variance, sizes = {"measure": "variance"}, {"measure": "log10_histogram"}
  signal = {"layers": "activation_*"}
  weight = {"layers": "dense_*/kernel", "of": "gradient"}
  config.probes = {
    "input": variance | {"layers": "input"},
    "signal": variance | signal,
    "gradient": variance | signal | {"of": "output_gradient"},
    "weight_gradient": variance | weight,
    "zeros": {"measure": "zero_fraction", **signal},
    "rank": {"measure": "effective_rank", **signal},
    "signals": {"measure": "histogram", "range": (-3.0, 7.0), **signal},
    "signal_sizes": sizes | signal | {"range": (-48.0, 4.0), "bins": 104},
    "weight_gradients": sizes | weight | {"range": (-24.0, 8.0), "bins": 64},
  }
  published = {"placement": "after", "gradient_enters": 19}
  for arm, (init, scale) in INITS.items():
    model = {"init": init, "init_scale": scale, **published}
    config.arms[arm] = NO_NORM | {"model": model, "loss": {"scale": 100.0}}
  for arm in OWN:
    norm, _, place = arm.rpartition("_")
    exact = {"name": norm, "epsilon": 0.0}
    config.arms[arm] = {"norm": exact, "model": {"placement": place}}
  wrong = {"name": "feature_norm", "derivative": "as_published"}
  norms = wrong, {"name": "feature_norm"}, {"name": "batch_norm"}
  for arm, norm in zip(POST, norms, strict=True):
    config.arms[arm] = {"norm": norm, "model": published}
  return finish(config, options)


def get_rules(config):
  """What is claimed and published of it, and what its report shows."""
  growth = "growth:gradient/activation_{1..18}"
  published = [
    *literature.very_deep("std_1e-2"),
    *literature.very_deep("as_published"),
    # Theory is of infinite width: see gradient_growth.py.
    *(literature.mean_field_growth(a, growth, margin=0.03) for a in BATCH),
  ]
  first, second, last = (
    f"weight_gradient/dense_{i}/kernel" for i in (0, 1, 18)
  )
  late = {"versus_metric": last}
  wrong, formula, axis = POST
  vanishes = "Without normalization, layer 1's weight gradient vanishes"
  sparse = "Without normalization, nearly all activations are exactly zero"
  small = "Without normalization, activations are zero on layer 1's axes"
  alike = "Over features instead of examples, examples become alike"
  explodes = "With the post's norm, layer 1's weight gradient explodes"
  labels = "Layer 2's is a million times what is labelled layer 2"
  wrongly = "The wrong formula makes layer 1's a million times as large"
  over = "Over features, as layer norm, they grow faster than with batch norm"
  grows = "With batch norm gradients grow by a fifth per layer and more"
  stays = "With layer norm before ReLU they stay"
  claims = {
    "vanish": less(vanishes, "std_1e-2", None, first, times=10.0, **late),
    "sparse": greater(sparse, "std_1e-2", 0.9, "zeros/activation_19"),
    "small": less(
      small,
      "std_1e-2",
      None,
      "signal/activation_19",
      times=1e6,
      versus_metric="signal/activation_0",
    ),
    "explode": greater(explodes, wrong, None, first, times=10.0, **late),
    "labels": greater(labels, wrong, None, second, times=1e6, **late),
    "formula": greater(wrongly, wrong, formula, first, times=1e6),
    "rank": less(alike, formula, axis, "rank/activation_19", times=2.0),
    "axis": greater(over, formula, axis, growth),
    "grow": greater(grows, "batch_norm_before", 1.2, growth),
    "stay": within(0.05, stays, "layer_norm_before", 1.0, growth),
  }
  return Rules(
    claimed={
      "Varma 2018": (
        "vanish",
        "sparse",
        "explode",
      ),
      "Yang et al. 2019": ("grow",),
    },
    title="Signals and gradients through 20 layers",
    published=published,
    claims=claims,
    notes=(
      "The post's claim that nearly all activations are zero says 'just look "
      "at the scale of the axes': both readings are judged.",
      "'Examples become alike' was the claim about the axis until minutes "
      "after it had failed in a first run; 'they grow faster' was then put in "
      "its place. Both are judged.",
    ),
    figures=_figures(),
    tables=_tables(),
  )


def _figures():
  every, few = (*INITS, *OWN), ("std_1e-2", "he", *OWN, *POST)
  unit = tuple(f"activation_{layer}" for layer in SEEN)
  kernel = tuple(f"dense_{layer}/kernel" for layer in SEEN)
  return {
    "signal": Layers(probe="signal", arms=tuple(INITS)),
    "gradient": Layers(
      probe="gradient",
      arms=OWN,
      reference=1.467,
      reference_text="pi / (pi - 1)",
    ),
    "weight_gradient": Layers(probe="weight_gradient", arms=tuple(INITS)),
    "weight_gradient_norms": Layers(
      probe="weight_gradient",
      arms=(*OWN, *POST),
      title="Weight gradient with a norm",
    ),
    "rank": Layers(
      probe="rank", arms=every[-5:], log_y=False, label="effective rank"
    ),
    "signals": Histograms(probe="signals", arms=every[-5:], layers=unit),
    "signal_sizes": Histograms(
      probe="signal_sizes", arms=tuple(INITS), layers=unit, label="size"
    ),
    "weight_gradients": Histograms(
      probe="weight_gradients",
      arms=few,
      layers=kernel,
      label="size of a weight's gradient",
    ),
  }


def _tables():
  every = (*INITS, *OWN)
  tables = {
    "signal": ("signal", every, "Variance of the signal"),
    "gradient": ("gradient", every, "Variance of its gradient"),
    "errors": ("weight_gradient", POST, "Errors of the post"),
  }
  return {
    name: Layers(probe=probe, arms=arms, title=title)
    for name, (probe, arms, title) in tables.items()
  }
