"""Which deep residual networks train without batch norm, and which as well?

De and Smith (2020): a residual network 1,000 layers deep trains with batch norm
and, without it, where each branch starts at zero (SkipInit); not with branches
of a constant size, 1 or 1/√2. Zhang et al. (2019) start the branch's last layer
at zero and scale the others by depth (Fixup). Beside them a constant of
1/√depth. Each at the best of three rates, of a few hundred steps.

  python scripts/train.py --config=configs/residual_depth.py:mnist

Images in colour go through convolutions: `residual_depth.py:cifar10_jpeg`.
"""

from bnjax.lab.config import NO_NORM, base, finish, parse
from bnjax.lab.results import Field, Rules, greater, less, within

MLP = {"name": "residual_mlp", "width": 64, "branch_layers": 1}
# Images of 8x8 from the stem on, and three stages.
CNN = {
  "name": "resnet",
  "widths": (8, 16, 32),
  "stem_stride": 4,
  "order": "preactivation",
}
COLOURED = ("cifar10", "cifar10_jpeg")
# Accuracies, of digits and of images in colour: trained from, and failed below.
TRAINED, FAILED = {False: 0.8, True: 0.2}, {False: 0.2, True: 0.15}
RATES = {False: (0.02, 0.1, 0.5), True: (0.1, 0.3, 1.0)}
BRANCHES = {
  "batch_norm": lambda depth: {},
  "skip_init": lambda depth: {"branch": "skip_init"},
  "fixup": lambda depth: {"branch": "fixup"},
  "one": lambda depth: {},
  "root_half": lambda depth: {"branch_scale": 0.5**0.5},
  "root_depth": lambda depth: {"branch_scale": depth**-0.5},
}

UNITS = (
  "A point is trained where validation accuracy is 80% after the last "
  "step. On 5,000 training, validation and test examples each. Fixup's "
  "scalars learn at a tenth of the rate; of one layer a branch, which "
  "starts at zero, there is none left that depth would scale. Nothing of "
  "this was trained before these claims stood."
)
IMAGES = (
  "A point is trained where validation accuracy is 20% after the last step. "
  "On 5,000 training, validation and test examples each, by networks of 8, 16 "
  "and 32 features, two convolutions a branch, images of 8x8 from the stem on. "
  "Fixup's scalars learn at a tenth of the rate. Before these claims stood one "
  "seed of batch norm was seen at rates .02, .1 and .5: with 3 blocks .20, .28 "
  "and .32 on the validation set after 200 steps, with 27 blocks .15, .22 and "
  ".20 after 100. Nothing was seen of the other arms."
)


def depths(coloured):
  """How many blocks there are; of images in colour, in three stages."""
  return (3, 27) if coloured else (16, 128)


def blocks(depth, coloured):
  """What a model of so many blocks sets; very many are a loop."""
  if coloured:
    return {"blocks": depth // 3}
  return {"depth": depth} | ({"scanned": True} if depth > 128 else {})


def get_config(arg="mnist"):
  """The experiment on the data set that `arg` names, small if it says smoke."""
  options = parse(arg)
  coloured = options.dataset in COLOURED
  config = base(optimizer="sgd")
  config.dataset.update(name=options.dataset, examples=5000)
  config.model = (CNN if coloured else MLP) | blocks(
    depths(coloured)[0], coloured
  )
  config.update(batch_size=64, steps=200, eval_every=200, seeds=5)
  config.grid = {"optimizer": {"learning_rate": RATES[coloured]}}
  config.arms = {
    f"{branch}_{depth:03}": ({} if branch == "batch_norm" else NO_NORM)
    | {"model": fields(depth) | blocks(depth, coloured)}
    for depth in depths(coloured)
    for branch, fields in BRANCHES.items()
    if not (coloured and branch == "root_half")
  }
  return finish(config, options)


def get_rules(config):
  """What is claimed and published of it, and what its report shows."""
  coloured = config.dataset.name in COLOURED
  best, every = "best_test_accuracy", depths(coloured)
  reached, failed = TRAINED[coloured], FAILED[coloured]
  shown = [name for name in BRANCHES if f"{name}_{every[0]:03}" in config.arms]
  claims = {
    f"trains_{branch}_{depth}": greater(
      f"It trains, to {reached:.0%} and more: {branch.replace('_', ' ')}",
      f"{branch}_{depth:03}",
      reached,
      best,
      setting=f"{depth} blocks",
    )
    for depth in every
    for branch in ("batch_norm", "skip_init", "fixup", "root_depth")
  }
  claims |= {
    f"fails_{branch}{'' if depth == 128 else f'_{depth}'}": less(
      f"A branch of constant size does not train, below {failed:.0%} at any "
      f"rate: {branch.replace('_', ' ')}",
      f"{branch}_{depth:03}",
      failed,
      best,
      setting=f"{depth} blocks",
      published="untrainable at a depth of 1,000",
    )
    for depth in every[1:]
    for branch in ("one", "root_half")
    if branch in shown
  }
  claims |= {
    f"as_well_{branch}_{depth}": within(
      0.01,
      f"As good as with batch norm, within a point: {branch.replace('_', ' ')}",
      f"{branch}_{depth:03}",
      f"batch_norm_{depth:03}",
      best,
      setting=f"{depth} blocks",
    )
    for depth in every
    for branch in ("skip_init", "fixup", "root_depth")
  }
  claims |= {
    f"rates{'' if depth == 128 else f'_{depth}'}": greater(
      "Batch norm trains at higher rates than SkipInit",
      f"batch_norm_{depth:03}",
      f"skip_init_{depth:03}",
      "largest_learning_rate",
      times=1.0,
      setting=f"{depth} blocks",
    )
    for depth in every[1:]
  }
  return Rules(
    claimed={
      "De and Smith 2020": (
        "trains_batch_norm_*",
        "trains_skip_init_*",
        "fails_*",
        "as_well_skip_init_*",
      ),
      "Zhang et al. 2019": ("trains_fixup_*", "as_well_fixup_*"),
    },
    title="Deep residual networks: which train",
    grid_threshold=reached,
    notes=(IMAGES if coloured else UNITS,),
    claims=claims,
    figures={
      f"rates_{depth}": Field(
        x="optimizer.learning_rate",
        metrics=("test_accuracy",),
        arms=tuple(f"{branch}_{depth:03}" for branch in shown),
        title=f"{depth} residual blocks",
        low=0.0,
        high=0.5 if coloured else 1.0,
      )
      for depth in every
    },
  )
