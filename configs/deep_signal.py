"""Signals through 20 layers at initialization, forward and back.

"Training very deep networks with Batchnorm" (2018). The arms `as_published` and
`corrected` repeat it: it normalizes over features, which is layer norm; its
backward formula has a wrong sign and lacks a sum; the gradient enters layer 19;
and its figures are labelled from the wrong end: "layer 2" is layer 19. Nothing
is trained. Layers count from 0 here: `dense_18` is layer 19.

  python scripts/train.py --config=configs/deep_signal.py
"""

from bnjax.config import base, finish, greater, parse
from bnjax.literature import mean_field_growth, very_deep

INITS = {
  "std_1e-3": ("normal", 1e-3),
  "std_1e-2": ("normal", 1e-2),
  "std_0_058": ("normal", 2**0.5 * 600**-0.5),
  "uniform_0_012": ("uniform", 6**0.5 / 200),
  "xavier": ("normal", 0.1),
  "he": ("normal", 0.02**0.5),
}


def get_config(arg="gaussian"):
  """The experiment; with `smoke` of two seeds."""
  options = parse(arg, dataset="gaussian")
  config = base(model="deep", loss="linear")
  config.title = "Signals and gradients through 20 layers"
  config.dataset.update(name=options.dataset, center=False)
  config.model.update(width=100, depth=20, init="normal", init_scale=0.01)
  config.norm.epsilon = 0.0
  config.loss.scale = 0.01
  config.precision = "float64"
  config.batch_size = 1000
  config.steps = 0
  config.seeds = 10
  signal = {"layers": "activation_*"}
  weight = {"layers": "dense_*/kernel", "of": "gradient"}
  config.probes = {
    "signal": {"measure": "variance", **signal},
    "gradient": {"measure": "variance", "of": "output_gradient", **signal},
    "weight_gradient": {"measure": "variance", **weight},
    "zeros": {"measure": "zero_fraction", **signal},
    "signals": {"measure": "histogram", "bins": 40, **signal},
    "weight_gradients": {"measure": "log10_histogram", **weight},
  }
  published = {"placement": "after", "gradient_enters": 19}
  none = {"norm": {"name": "none"}, "loss": {"scale": 100.0}}
  config.arms = {
    arm: {**none, "model": {"init": init, "init_scale": scale, **published}}
    for arm, (init, scale) in INITS.items()
  }
  for norm in ("batch_norm", "layer_norm"):
    for where in ("after", "before"):
      arm = {"norm": {"name": norm}, "model": {"placement": where}}
      config.arms[f"{norm}_{where}"] = arm
  for derivative in ("as_published", "corrected"):
    norm = {"name": "feature_norm", "derivative": derivative}
    config.arms[derivative] = {"norm": norm, "model": published}
  growth = "growth:gradient/activation_{1..18}"
  for arm in ("std_1e-2", "as_published"):
    config.published[arm] = very_deep(arm)
  for arm in ("batch_norm_after", "batch_norm_before"):
    config.published[arm] = {"growth": mean_field_growth(growth)}
  first, last = (f"weight_gradient/dense_{i}/kernel" for i in (0, 18))
  tenfold = {"versus_metric": last, "margin": 10.0}
  less, more = {"direction": "ratio_less"}, {"direction": "ratio_greater"}
  flat = {"direction": "within", "margin": 0.05}
  vanish = "Without normalization, layer 1's weight gradient vanishes"
  explode = "With the post's norm it explodes"
  grow = "With batch norm gradients grow by a fifth per layer and more"
  stay = "With layer norm before ReLU they stay"
  config.claims = {
    "vanish": greater(vanish, "std_1e-2", None, first, **tenfold, **less),
    "explode": greater(explode, "as_published", None, first, **tenfold, **more),
    "grow": greater(grow, "batch_norm_before", 1.2, growth),
    "stay": greater(stay, "layer_norm_before", 1.0, growth, **flat),
  }
  layers = {"kind": "layers"}
  theory = {"reference": 1.467, "reference_text": "pi / (pi - 1)"}
  own = ("batch_norm_after", "batch_norm_before")
  own += ("layer_norm_after", "layer_norm_before")
  few = {"kind": "histograms", "arms": ("std_1e-2", "he", *own)}
  config.figures = {
    "signal": {**layers, "probe": "signal"},
    "gradient": {**layers, "probe": "gradient", "arms": own, **theory},
    "weight_gradient": {**layers, "probe": "weight_gradient"},
    "signals": {
      **few,
      "probe": "signals",
      "layers": tuple(f"activation_{i}" for i in (0, 9, 19)),
    },
    "weight_gradients": {
      **few,
      "probe": "weight_gradients",
      "layers": tuple(f"dense_{i}/kernel" for i in (0, 9, 18)),
    },
  }
  return finish(config, options)
