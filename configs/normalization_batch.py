"""What does the size of the norm's own batch do, the optimizer's left alone?

Wu and Johnson (2021): minibatches of 128 in all arms, which the norm divides
into groups of 2 to 128, so that the noise of its statistics is what varies. The
networks are judged by running statistics and by those of the groups, and after
a last fifth of training by statistics that stand still (`frozen_...`); and on
images of less contrast and with noise, whose own statistics help. (`population`
varies both batches together.)

  python scripts/train.py --config=configs/normalization_batch.py:mnist
"""

from bnjax.lab.config import base, finish, parse
from bnjax.lab.results import Field, Rules, greater, less

SIZES = (128, 64, 32, 16, 8, 4, 2)
FROZEN = (128, 32, 8, 2)
SHIFTS = {"contrast": {"contrast": 0.3}, "noise": {"noise": 0.3}}
RUNNING, BATCH = "running/classifier", "by_batch/classifier"


def get_config(arg="mnist"):
  """The experiment on the data set that `arg` names, small if it says smoke."""
  options = parse(arg)
  batch, steps = (64, 20) if options.smoke else (128, 600)
  config = base(model="mlp", norm="ghost_batch_norm", optimizer="sgd")
  config.dataset.name = options.dataset
  config.model.update(width=64, depth=3, init="he")
  config.optimizer.learning_rate = 0.1
  config.update(batch_size=batch, steps=steps, eval_every=120, seeds=5)
  config.update(probe_every=steps, probe_split="test")
  config.probe_examples = 64 if options.smoke else 5120
  groups = {size: {"ghost_groups": max(1, batch // size)} for size in SIZES}
  config.arms = {f"size_{size}": {"norm": groups[size]} for size in SIZES}
  for size in FROZEN:
    late = {"freeze_start": steps * 4 // 5}
    config.arms[f"frozen_{size}"] = {"norm": groups[size] | late}
  config.probes.update(
    running={"measure": "accuracy", "batch": 128},
    by_batch={"measure": "accuracy", "batch": 128, "statistics": "batch"},
  )
  for name, shift in SHIFTS.items():
    own = {"measure": "accuracy", "batch": 1024} | shift
    config.probes[name] = own
    config.probes[f"{name}_own"] = own | {"statistics": "batch"}
  return finish(config, options)


def get_rules(config):
  """What is claimed and published of it, and what its report shows."""
  both = {"versus_metric": BATCH}
  claims = {
    "train": greater(
      "Training errs over a point more with groups of 2 than of 32",
      "size_32",
      "size_2",
      "train_accuracy",
      margin=0.01,
      published="10.7% at 32, 16.5% at 2",
    ),
    "middle": greater(
      "Groups of 32 are better in the end than of 128: noise regularizes",
      "size_32",
      "size_128",
      published="ImageNet: best at 64, by half a point to 1,024",
    ),
    "inconsistent": less(
      "With groups of 2 running statistics are worse than the groups' own",
      "size_2",
      None,
      RUNNING,
      published="an error of 32.5% and of 26.0%",
      **both,
    ),
    "frozen_2": greater(
      "Frozen in the last fifth, groups of 2 end better",
      "frozen_2",
      "size_2",
      published="an error of 25.2% in the place of 32.5%",
    ),
  }
  for size in (32, 64, 128):
    claims[f"running_{size}"] = greater(
      "With groups of 32 and more running statistics are the better ones",
      f"size_{size}",
      None,
      RUNNING,
      published="by half a point to one and a half",
      setting=f"groups of {size}",
      **both,
    )
  for size in (32, 128):
    claims[f"frozen_{size}"] = less(
      "Frozen in the last fifth, groups of 32 and more end worse",
      f"frozen_{size}",
      f"size_{size}",
      published="by a point",
      setting=f"groups of {size}",
    )
  for name in SHIFTS:
    claims[name] = greater(
      "On shifted images their own statistics are better",
      "size_128",
      None,
      f"{name}_own/classifier",
      versus_metric=f"{name}/classifier",
      published="contrast: 40.8% to 33.1% error, noise: 64.4% to 52.5%",
      setting=name,
    )
  return Rules(
    claimed={
      "Wu and Johnson 2021": ("*",),
    },
    title="The norm's batch, apart from the optimizer's",
    notes=(
      "Running and the groups' own statistics are compared on the first 5,120 "
      "test images, 128 at a time. Contrast .3: deviations from an image's "
      "mean are multiplied by it; noise: of deviation .3; their own statistics "
      "are those of 1,024 images. Nothing was run before the claims.",
    ),
    claims=claims,
    figures={
      "size": _over_groups(
        "Training by groups, test by running statistics",
        ("train_accuracy", "test_accuracy"),
        config.steps,
        running=SIZES,
        frozen=FROZEN,
      ),
      "statistics": _over_groups(
        "Test images by running statistics and by the groups' own",
        (RUNNING, BATCH),
        config.steps,
        test=SIZES,
      ),
      "shifted": _over_groups(
        "Shifted images by running statistics and by their own",
        tuple(f"{n}{own}/classifier" for n in SHIFTS for own in ("", "_own")),
        config.steps,
        test=SIZES,
      ),
    },
  )


def _over_groups(title, metrics, step, **sizes):
  """Metrics over the number of groups, a line for each and kind of arms."""
  arms = lambda kind: "frozen" if kind == "frozen" else "size"
  return Field(
    title=title,
    x="norm.ghost_groups",
    metrics=metrics,
    steps=(step,),
    groups={
      kind: tuple(f"{arms(kind)}_{size}" for size in own)
      for kind, own in sizes.items()
    },
    label="groups of a minibatch of 128",
  )
