"""How fast gradients grow from layer to layer with batch norm.

Theory has it for infinite width: with batch norm, at any initialization, the
variance of the gradient grows per layer on its way back by a factor of the
batch size alone, with ReLU by pi / (pi - 1) in the limit of large ones (Yang et
al. 2019). By width at 1,000 examples, and by the batch size at width 400.
Nothing is trained. Each seed draws its own examples and entering gradient.

  python scripts/train.py --config=configs/gradient_growth.py
"""

from bnjax.lab.config import base, finish, parse
from bnjax.lab.literature import growth_of_gradients, mean_field_growth
from bnjax.lab.results import Field, Final, Rules, greater

SIZES = (4, 6, 8, 16, 32, 64, 128, 256)
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
  config.arms = config.arms.to_dict() | {
    f"{name}_{size}": {
      "model": {"placement": "before", "width": 400, "activation": activation},
      "probe_examples": size,
    }
    for name, activation in (("relu", "relu"), ("linear", "identity"))
    for size in SIZES
  }
  return finish(config, options)


def get_rules(config):
  """What is claimed and published of it, and what its report shows."""
  published = [
    mean_field_growth(f"{placement}_{width}", GROWTH, margin=0.015)  # 1%
    for placement in ("before", "after")
    for width in (100, 400)
  ]
  published += [
    mean_field_growth(
      f"{name}_{size}",
      GROWTH,
      batch_size=size,
      linear=name == "linear",
      margin=0.02 * growth_of_gradients(size, linear=name == "linear"),
    )
    for name in ("relu", "linear")
    for size in SIZES
  ]
  return Rules(
    claimed={
      "Yang et al. 2019": ("*",),
    },
    title="The growth of gradients with batch norm",
    published=tuple(published),
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
    figures={
      "batch": Field(
        x="probe_examples",
        metrics=(GROWTH,),
        groups={
          name: tuple(f"{name}_{size}" for size in SIZES)
          for name in ("relu", "linear")
        },
        label="batch size",
      ),
      "growth": Final(metrics=(GROWTH,)),
    },
  )
