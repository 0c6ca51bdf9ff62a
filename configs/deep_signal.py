"""Signals through 20 layers at initialization, forward and back.

"Training very deep networks with Batchnorm" (2018). The arms `as_published` and
`corrected` repeat it: it normalizes over features, which is layer norm; its
backward formula has a wrong sign and lacks a sum; the gradient enters layer 19;
and its figures are labelled from the wrong end: "layer 2" is layer 19. Nothing
is trained. Layers count from 0 here: `dense_18` is layer 19.

  python scripts/train.py --config=configs/deep_signal.py
"""

import math

from bnjax.config import base, finish, greater, parse
from bnjax.literature import number, very_deep


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
  signal = {"measure": "variance", "layers": "activation_*"}
  weights = {"of": "gradient", "layers": "dense_*/kernel"}
  config.probes = {
    "signal": signal,
    "signal_gradient": {**signal, "of": "output_gradient"},
    "weight_gradient": {"measure": "variance", **weights},
    "zeros": {"measure": "zero_fraction", "layers": "activation_*"},
    "signals": {"measure": "histogram", "layers": "activation_*", "bins": 40},
    "weight_gradients": {"measure": "log10_histogram", **weights},
  }
  inits = {
    "std_1e-3": {"init": "normal", "init_scale": 1e-3},
    "std_1e-2": {"init": "normal", "init_scale": 1e-2},
    "uniform_0_012": {"init": "uniform", "init_scale": 6**0.5 / 200},
    "std_0_058": {"init": "normal", "init_scale": 2**0.5 * 600**-0.5},
    "xavier": {"init": "xavier", "init_scale": 1.0},
    "he": {"init": "he", "init_scale": 1.0},
  }
  enters = {"placement": "after", "gradient_enters": 19}
  config.arms = {
    arm: {
      "norm": {"name": "none"},
      "model": init | enters,
      "loss": {"scale": 100.0},
    }
    for arm, init in inits.items()
  }
  for norm in ("batch_norm", "layer_norm"):
    for placement in ("after", "before"):
      arm = {"norm": {"name": norm}, "model": {"placement": placement}}
      config.arms[f"{norm}_{placement}"] = arm
  for derivative in ("as_published", "corrected"):
    norm = {"name": "feature_norm", "derivative": derivative}
    config.arms[derivative] = {"norm": norm, "model": enters}
  config.published = {
    arm: very_deep(arm) for arm in ("std_1e-2", "as_published")
  }
  growth = "growth:signal_gradient/activation_{1..18}"
  theory = {"source": "Yang et al. 2019, arXiv:1902.08129: pi / (pi - 1)"}
  for arm in ("batch_norm_after", "batch_norm_before"):
    config.published[arm] = {
      "growth": number(
        math.pi / (math.pi - 1),
        metric=growth,
        step=0,
        dataset="gaussian",
        tolerance=0.03,
        **theory,
      )
    }
  first, last = (f"weight_gradient/dense_{i}/kernel" for i in (0, 18))

  def less(text, arm):
    return greater(
      text,
      arm,
      None,
      first,
      versus_metric=last,
      direction="ratio_less",
      margin=10.0,
    )

  config.claims = {
    "vanish": less(
      "Without normalization gradients vanish towards layer 1", "std_1e-2"
    ),
    "explode": greater(
      "With batch norm gradients grow layer by layer",
      "batch_norm_after",
      1.2,
      growth,
    ),
  }
  return finish(config, options)
