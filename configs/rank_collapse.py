"""Does batch norm keep the rank of what passes through a deep network?

Daneshmand et al. (2020): through linear or ReLU layers with random weights all
examples become alike, up to a factor, within some tens of layers; with batch
norm the rank stays of the order of the root of the width at any depth. What is
measured is their lower bound of the rank, (tr M)^2 / |M|^2 of the matrix of
second moments M. Positive weights take that from batch norm, too, as the
paper's "broken" initialization does. Nothing is trained.

  python scripts/train.py --config=configs/rank_collapse.py
"""

from bnjax.lab.config import NO_NORM, base, finish, parse
from bnjax.lab.results import Field, Layers, Rules, greater, less, within

WIDTHS = (16, 64, 256)
LAST = "rank/activation_49"


def get_config(arg="gaussian"):
  """The experiment; with `smoke` of two seeds."""
  options = parse(arg, dataset="gaussian")
  config = base(model="deep", loss="sum")
  config.dataset.update(name=options.dataset, center=False)
  config.model.update(
    depth=50, width=64, init="he", placement="before", redraw=True
  )
  config.update(steps=0, seeds=10, probe_examples=256)
  config.probes.rank = {
    "measure": "participation_ratio",
    "layers": ["input", "activation_0", "activation_9", "activation_?9"],
  }
  linear = {"activation": "identity", "init": "lecun"}
  config.arms = {
    f"linear_batch_norm_{width}": {"model": linear | {"width": width}}
    for width in WIDTHS
  }
  config.arms = config.arms.to_dict() | {
    "linear_64": NO_NORM | {"model": linear},
    "relu_batch_norm_64": {},
    "relu_64": NO_NORM,
    "positive_64": {"model": {"init": "half_normal"}},
  }
  return finish(config, options)


def get_rules(config):
  """What is claimed and published of it, and what its report shows."""
  claims = {
    f"root_{width}": within(
      1.5,
      "With batch norm, linear, the rank is near the root of the width",
      f"linear_batch_norm_{width}",
      width**0.5,
      LAST,
      ratio=True,
      setting=f"width {width}",
    )
    for width in WIDTHS
  }
  claims |= {
    "width": greater(
      "It is more than three times as large at sixteen times the width",
      "linear_batch_norm_256",
      "linear_batch_norm_16",
      LAST,
      times=3.0,
    ),
    "depth": within(
      1.25,
      "From layer 30 to 50 it does not change",
      "linear_batch_norm_64",
      None,
      LAST,
      versus_metric="rank/activation_29",
      ratio=True,
    ),
    "linear": less(
      "Linear without batch norm it is below 2 after 50 layers",
      "linear_64",
      2.0,
      LAST,
    ),
    "relu": less(
      "ReLU without batch norm it is below 1.1 after 50 layers",
      "relu_64",
      1.1,
      LAST,
    ),
    "relu_norm": greater(
      "ReLU with batch norm it is three times as large as without",
      "relu_batch_norm_64",
      "relu_64",
      LAST,
      times=3.0,
    ),
    "positive": less(
      "With positive weights it is below 1.1 with batch norm, too",
      "positive_64",
      1.1,
      LAST,
    ),
  }
  return Rules(
    claimed={
      "Daneshmand et al. 2020": (
        "root_*",
        "width",
        "linear",
        "relu",
        "relu_norm",
      ),
    },
    title="The rank of what passes through a deep network",
    notes=(
      "Batch norm lies between the product and the ReLU; 256 examples of 100 "
      "independent normal features, drawn anew for each seed. Two networks of "
      "each kind by NumPy were seen before these claims stood: after 50 layers "
      "3.6 and 3.4 at width 16, 6.9 and 7.7 at 64, 17.1 and 16.5 at 256; "
      "without batch norm 1.1 and 1.9 linear, 1.01 ReLU; ReLU with batch norm "
      "5.0 and 6.6; with positive weights 1.00, of one.",
    ),
    claims=claims,
    figures={
      "rank": Layers(
        probe="rank",
        layers=("activation_*",),
        title="Rank of the activations over the layers",
        label="(tr M)² / |M|²",
      ),
      "width": Field(
        x="model.width",
        metrics=(LAST,),
        arms=tuple(f"linear_batch_norm_{width}" for width in WIDTHS),
        log_y=True,
        label="width",
        title="Rank after 50 linear layers with batch norm",
      ),
    },
  )
