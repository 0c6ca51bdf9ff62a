"""How large is a residual branch beside its skip connection at the start?

De and Smith (2020): batch norm on the branch makes deep blocks start near the
identity. The branch keeps its size, as it is normalized, and the skip
connection sums up those before it: the ratio of their variances falls as 1 over
the number of the block. Without a norm the variance doubles at every block, and
the ratio stays. Nothing is trained.

  python scripts/train.py --config=configs/residual_branch.py:mnist
"""

from bnjax.lab.config import NO_NORM, base, finish, parse
from bnjax.lab.results import Layers, Rules, greater, within

DEPTH = 24
RATIO = "slope:ratio/branch_{4..23}"
GROWTH = "growth:skip/skip_{23..4}"  # from block 4 to 23
POWER = "slope:skip/skip_{4..23}"


def get_config(arg="mnist"):
  """The experiment on the data set that `arg` names, small if it says smoke."""
  options = parse(arg)
  config = base(model="residual_mlp", loss="sum")
  config.dataset.update(name=options.dataset, examples=1000)
  config.model.update(width=128, depth=DEPTH, branch_layers=1)
  config.update(steps=0, seeds=20, probe_examples=256)
  config.arms = {
    "batch_norm": {},
    "layer_norm": {"norm": {"name": "layer_norm"}},
    "none": NO_NORM,
    "root_depth": NO_NORM | {"model": {"branch_scale": DEPTH**-0.5}},
  }
  config.probes = {
    "skip": {"measure": "variance", "layers": "skip_*"},
    "ratio": {
      "measure": "variance",
      "layers": "branch_*",
      "relative": "skip_*",
    },
  }
  return finish(config, options)


def get_rules(config):
  """What is claimed and published of it, and what its report shows."""
  falls = "The branch's share falls as 1 over the number of the block: {}"
  stays = "It is the same in all blocks: {}"
  claims = {}
  for arm in ("batch_norm", "layer_norm"):
    named = arm.replace("_", " ")
    claims[f"falls_{arm}"] = within(0.1, falls.format(named), arm, -1.0, RATIO)
    claims[f"sums_{arm}"] = within(
      0.1, f"The skip's variance grows as the number: {named}", arm, 1.0, POWER
    )
  for arm, square, margin in (
    ("none", 1.0, 1.05),
    ("root_depth", 1 / DEPTH, 1.005),
  ):
    named = arm.replace("_", " ")
    claims[f"stays_{arm}"] = within(0.1, stays.format(named), arm, 0.0, RATIO)
    claims[f"grows_{arm}"] = within(
      margin,
      f"The skip's variance grows by 1 + c² at every block: {named}",
      arm,
      1 + square,
      GROWTH,
      ratio=True,
    )
  last = f"ratio/branch_{DEPTH - 1}"
  claims["deep"] = greater(
    "In the last block it is fifteen times smaller with batch norm",
    "none",
    "batch_norm",
    last,
    times=15.0,
  )
  claims["alike"] = within(
    1.2,
    "In the last block it is with batch norm what 1/√depth gives",
    "batch_norm",
    "root_depth",
    last,
    ratio=True,
  )
  return Rules(
    claimed={
      "De and Smith 2020": (
        "falls_batch_norm",
        "sums_*",
        "stays_*",
        "grows_*",
        "deep",
      ),
    },
    title="The residual branch beside its skip connection at the start",
    notes=(
      "Variances over examples and units. Blocks 0 to 3 are left out of the "
      "slopes, as the skip's variance begins at the stem's. A simulation with "
      "NumPy, of ten Gaussian seeds, was seen before these claims stood: "
      "slopes of -.97, -.94 (layer norm), -.03 (none) and .01 (1/√depth), "
      "powers of .97 and .92, growth by 2.01 and 1.0406, and shares in the "
      "last block of .0452 with batch norm, .93 with none and .0429 with "
      "1/√depth. A first run had the same claims, all of which held, and "
      "other metrics.",
    ),
    claims=claims,
    figures={
      "ratio": Layers(
        probe="ratio",
        layers=(f"branch_{{1..{DEPTH - 1}}}",),
        log_x=True,
        title="Variance of the branch over that of the skip",
        label="branch / skip",
      ),
      "skip": Layers(
        probe="skip",
        layers=(f"skip_{{1..{DEPTH - 1}}}",),
        log_x=True,
        title="Variance of what enters a block",
        label="variance",
      ),
    },
  )
