"""How large is a residual branch beside its skip connection at the start?

De and Smith (2020): batch norm on the branch makes deep blocks start near the
identity. The branch keeps its size, as it is normalized, and the skip
connection sums up those before it: the ratio of their variances falls as 1 over
the number of the block. Without a norm the variance doubles at every block, and
the ratio stays. Nothing is trained. Images in colour go through convolutions.

  python scripts/train.py --config=configs/residual_branch.py:mnist
"""

from bnjax.lab.config import NO_NORM, base, finish, parse
from bnjax.lab.results import Layers, Rules, greater, within

MLP = {"name": "residual_mlp", "width": 128, "depth": 24, "branch_layers": 1}
# One stage, so that every block but the first is like the one before it.
CNN = {
  "name": "resnet",
  "widths": (16,),
  "blocks": 12,
  "stem_stride": 2,
  "order": "preactivation",
}
STAGE = 4  # blocks of each of three stages that have as many together
COLOURED = ("cifar10", "cifar10_jpeg")

UNITS = (
  "Variances over examples and units. Blocks 0 to 3 are left out of the "
  "slopes, as the skip's variance begins at the stem's. A simulation with "
  "NumPy, of ten Gaussian seeds, was seen before these claims stood: "
  "slopes of -.97, -.94 (layer norm), -.03 (none) and .01 (1/√depth), "
  "powers of .97 and .92, growth by 2.01 and 1.0406, and shares in the "
  "last block of .0452 with batch norm, .93 with none and .0429 with "
  "1/√depth. A first run had the same claims, all of which held, and "
  "other metrics."
)
IMAGES = (
  "Variances over examples, pixels and features, of images of 16x16 from the "
  "stem on; two convolutions a branch. Blocks 0 to 3 are left out of the "
  "slopes, as the skip's variance begins at the stem's. Before these claims "
  "stood two seeds of batch norm with 24 blocks were seen: shares of .25 in "
  "block 4, .09 in 11 and .046 in 23, skips of 3.4, 10 and 22. Nothing was "
  "seen of the other arms."
)


def blocks(config):
  """The number of blocks."""
  model = config.model
  return model.blocks if model.name == "resnet" else model.depth


def get_config(arg="mnist"):
  """The experiment on the data set that `arg` names, small if it says smoke."""
  options = parse(arg)
  coloured = options.dataset in COLOURED
  config = base(loss="sum")
  config.dataset.update(name=options.dataset, examples=1000)
  config.model = CNN if coloured else MLP
  config.update(steps=0, seeds=20, probe_examples=256)
  if coloured:
    config.update(batch_size=32, seeds=10, probe_examples=64)
  config.arms = {
    "batch_norm": {},
    "layer_norm": {"norm": {"name": "layer_norm"}},
    "none": NO_NORM,
    "root_depth": NO_NORM | {"model": {"branch_scale": blocks(config) ** -0.5}},
  }
  if coloured:
    del config.arms["layer_norm"]
    config.arms.postactivation = {"model": {"order": "postactivation"}}
    stages = {"widths": (16, 32, 64), "blocks": STAGE}
    config.arms.stages = {"model": stages}
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
  coloured = config.dataset.name in COLOURED
  depth = blocks(config)
  share = f"slope:ratio/branch_{{4..{depth - 1}}}"
  power = f"slope:skip/skip_{{4..{depth - 1}}}"
  growth = f"growth:skip/skip_{{{depth - 1}..4}}"  # from block 4 on
  falls = "The branch's share falls as 1 over the number of the block: {}"
  stays = "It is the same in all blocks: {}"
  claims = {}
  for arm in ("batch_norm", "postactivation" if coloured else "layer_norm"):
    named = arm.replace("_", " ")
    claims[f"falls_{arm}"] = within(0.1, falls.format(named), arm, -1.0, share)
    claims[f"sums_{arm}"] = within(
      0.1, f"The skip's variance grows as the number: {named}", arm, 1.0, power
    )
  # At the border of an image windows have fewer pixels, and branches less.
  for arm, square, margin in (
    ("none", 1.0, 1.2 if coloured else 1.05),
    ("root_depth", 1 / depth, 1.02 if coloured else 1.005),
  ):
    named = arm.replace("_", " ")
    claims[f"stays_{arm}"] = within(0.1, stays.format(named), arm, 0.0, share)
    claims[f"grows_{arm}"] = within(
      margin,
      f"The skip's variance grows by 1 + c² at every block: {named}",
      arm,
      1 + square,
      growth,
      ratio=True,
    )
  last = f"ratio/branch_{depth - 1}"
  times, word = (5.0, "five") if coloured else (15.0, "fifteen")
  claims["deep"] = greater(
    f"In the last block it is {word} times smaller with batch norm",
    "none",
    "batch_norm",
    last,
    times=times,
  )
  claims["alike"] = within(
    1.2,
    "In the last block it is with batch norm what 1/√depth gives",
    "batch_norm",
    "root_depth",
    last,
    ratio=True,
  )
  if coloured:
    for stage in (1, 2):
      for place in (0, STAGE - 1):
        claims[f"begins_anew_{stage}_{place}"] = within(
          1.5,
          "Behind a shortcut's convolution it begins at 1 anew: 1 over the "
          "number of the block in its stage",
          "stages",
          1 / (1 + place),
          f"ratio/branch_{stage * STAGE + place}",
          ratio=True,
          setting=f"block {place + 1} of stage {stage + 1}",
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
    notes=(IMAGES if coloured else UNITS,),
    claims=claims,
    figures={
      "ratio": Layers(
        probe="ratio",
        layers=(f"branch_{{1..{depth - 1}}}",),
        log_x=True,
        title="Variance of the branch over that of the skip",
        label="branch / skip",
      ),
      "skip": Layers(
        probe="skip",
        layers=(f"skip_{{1..{depth - 1}}}",),
        log_x=True,
        title="Variance of what enters a block",
        label="variance",
      ),
    },
  )
