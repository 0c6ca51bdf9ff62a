"""How fast gradients grow from layer to layer with batch norm, by width.

Theory has it for infinite width and batch: with batch norm and ReLU, at any
initialization, the variance of the gradient grows by pi / (pi - 1) per layer on
its way back (Yang et al. 2019). Nothing is trained. Each seed draws its own
examples and entering gradient.

  python scripts/train.py --config=configs/gradient_growth.py
"""

from bnjax.lab.config import base, finish, parse
from bnjax.lab.literature import mean_field_growth
from bnjax.lab.results import Final, Rules, greater

GROWTH = "growth:gradient/activation_{1..18}"


def get_config(arg="gaussian"):
  """The experiment; with `smoke` of two seeds."""
  options = parse(arg, dataset="gaussian")
  config = base(model="deep", loss="sum")
  config.dataset.update(name=options.dataset, center=False)
  config.model.update(depth=20, init="normal", init_scale=0.01, redraw=True)
  config.norm.epsilon = 0.0
  config.loss.scale = 0.01
  config.precision = "float64"
  config.update(batch_size=1000, steps=0, seeds=10)
  config.probes.gradient = {
    "measure": "variance",
    "layers": "activation_*",
    "of": "output_gradient",
  }
  config.arms = {
    f"{placement}_{width}": {"model": {"placement": placement, "width": width}}
    for placement in ("before", "after")
    for width in (100, 400)
  }
  return finish(config, options)


def get_rules(config):
  """What is claimed and published of it, and what its report shows."""
  rule = lambda arm: mean_field_growth(arm, GROWTH, margin=0.015)  # 1%
  return Rules(
    title="The growth of gradients with batch norm, by width",
    published=tuple(map(rule, config.arms)),
    claims={
      placement: greater(
        "Gradients grow by a fifth per layer and more",
        f"{placement}_400",
        1.2,
        GROWTH,
        setting=f"{placement} ReLU",
      )
      for placement in ("before", "after")
    },
    figures={"growth": Final(metrics=(GROWTH,))},
  )
