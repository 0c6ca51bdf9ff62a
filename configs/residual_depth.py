"""Which deep residual networks train without batch norm, and which as well?

De and Smith (2020): a residual network 1,000 layers deep trains with batch norm
and, without it, where each branch starts at zero (SkipInit); not with branches
of a constant size, 1 or 1/√2. Zhang et al. (2019) start the branch's last layer
at zero and scale the others by depth (Fixup). Beside them a constant of
1/√depth. Each at the best of three rates, of a few hundred steps.

  python scripts/train.py --config=configs/residual_depth.py:mnist
"""

from bnjax.lab.config import NO_NORM, base, finish, parse
from bnjax.lab.results import Field, Rules, greater, less, within

DEPTHS = (16, 128)  # blocks
RATES = (0.02, 0.1, 0.5)
BRANCHES = {
  "batch_norm": lambda depth: {},
  "skip_init": lambda depth: {"branch": "skip_init"},
  "fixup": lambda depth: {"branch": "fixup"},
  "one": lambda depth: {},
  "root_half": lambda depth: {"branch_scale": 0.5**0.5},
  "root_depth": lambda depth: {"branch_scale": depth**-0.5},
}


def get_config(arg="mnist"):
  """The experiment on the data set that `arg` names, small if it says smoke."""
  options = parse(arg)
  config = base(model="residual_mlp", optimizer="sgd")
  config.dataset.update(name=options.dataset, examples=5000)
  config.model.update(width=64, depth=DEPTHS[0], branch_layers=1)
  config.update(batch_size=64, steps=200, eval_every=200, seeds=5)
  config.grid = {"optimizer": {"learning_rate": RATES}}
  config.arms = {
    f"{branch}_{depth:03}": ({} if branch == "batch_norm" else NO_NORM)
    | {"model": fields(depth) | {"depth": depth}}
    for depth in DEPTHS
    for branch, fields in BRANCHES.items()
  }
  return finish(config, options)


def get_rules(config):
  """What is claimed and published of it, and what its report shows."""
  best, deepest = "best_test_accuracy", DEPTHS[-1]
  claims = {
    f"trains_{branch}_{depth}": greater(
      f"It trains, to 80% and more: {branch.replace('_', ' ')}",
      f"{branch}_{depth:03}",
      0.8,
      best,
      setting=f"{depth} blocks",
    )
    for depth in DEPTHS
    for branch in ("batch_norm", "skip_init", "fixup", "root_depth")
  }
  claims |= {
    f"fails_{branch}": less(
      "A branch of constant size does not train, below 20% at any rate: "
      + branch.replace("_", " "),
      f"{branch}_{deepest}",
      0.2,
      best,
      setting=f"{deepest} blocks",
      published="untrainable at a depth of 1,000",
    )
    for branch in ("one", "root_half")
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
    for depth in DEPTHS
    for branch in ("skip_init", "fixup", "root_depth")
  }
  claims["rates"] = greater(
    "Batch norm trains at higher rates than SkipInit",
    f"batch_norm_{deepest}",
    f"skip_init_{deepest}",
    "largest_learning_rate",
    times=1.0,
    setting=f"{deepest} blocks",
  )
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
    grid_threshold=0.8,
    notes=(
      "A point is trained where validation accuracy is 80% after the last "
      "step. On 5,000 training, validation and test examples each. Fixup's "
      "scalars learn at a tenth of the rate; of one layer a branch, which "
      "starts at zero, there is none left that depth would scale. Nothing of "
      "this was trained before these claims stood.",
    ),
    claims=claims,
    figures={
      f"rates_{depth}": Field(
        x="optimizer.learning_rate",
        metrics=("test_accuracy",),
        arms=tuple(f"{branch}_{depth:03}" for branch in BRANCHES),
        title=f"{depth} residual blocks",
        low=0.0,
        high=1.0,
      )
      for depth in DEPTHS
    },
  )
