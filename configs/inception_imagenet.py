"""Section 4.2 of the paper: five networks on ImageNet.

`inception` is the network before; `bn_baseline` only adds batch norm; the
others make all changes of section 4.2.1: a higher rate, no dropout, an L2
weight divided by 5, a decay 6 times as fast, no local response normalization,
thorough shuffling (which all arms have here), less photometric distortion.

Not in the paper, and from GoogLeNet (arXiv:1409.4842): momentum .9, random
crops, a rate 4% lower every 8 epochs. Ours: L2, the distortions' strengths, the
initialization, and that the fast arms stop after 6 million steps, where BN-x30
was best. `:ensemble` has the six networks of section 4.2.3 in place of the five
arms, each judged by itself; `scripts/ensemble.py` averages them, on one crop an
image.

  python scripts/train.py --config=configs/inception_imagenet.py
"""

from bnjax.lab import literature
from bnjax.lab.config import base, finish, parse
from bnjax.lab.results import Rules, greater, less

BATCH = 32
EPOCH = 1_271_167 // BATCH  # steps
FAST = 6_000_000


def get_config(arg="imagenet2012"):
  """The experiment on `arg`, a data set; with `ensemble`, that of six."""
  words = (arg or "").split(",")
  rest = ",".join(word for word in words if word != "ensemble")
  options = parse(rest, dataset="imagenet2012")
  config = base(model="bn_inception", optimizer="sgd")
  config.dataset.name = options.dataset
  config.model.update(dropout_rate=0.4, local_response_norm=True)
  config.optimizer.update(learning_rate=0.0015, momentum=0.9)
  config.schedule.update(name="exponential", rate=0.96, decay_steps=8 * EPOCH)
  config.augment.name = "photometric"
  config.l2 = 4e-5
  config.batch_size = BATCH
  config.steps = 31_000_000
  config.eval_every = 100_000
  config.seeds = 1
  config.machine.update(memory_gb=48.0, workers=8)
  config.stream = not options.smoke
  if options.smoke:  # two kinds of blocks, for images of 32x32
    config.dataset.transform = "rgb32"
    config.model.update(name="small_inception", blocks=("3c", "5b"))
  none = {"name": "none"}
  changes = {
    "model": {"dropout_rate": 0.0, "local_response_norm": False},
    "schedule": {"speed": 6.0},
    "augment": {"brightness": 0.06, "contrast": 0.25, "saturation": 0.25},
    "l2": 8e-6,
    "steps": FAST,
  }
  rate = lambda arm: {"learning_rate": literature.INCEPTION[arm][0]}
  fast = lambda arm, **model: (
    changes
    | {
      "optimizer": rate(arm),
      "model": changes["model"] | model,
    }
  )
  if "ensemble" in words:
    config.update(predictions=True, save_params=True)
    config.arms = {
      "larger_weights": fast("bn_x30", init_scale=1.2),
      "dropout_5": fast("bn_x30", dropout_rate=0.05),
      "dropout_10": fast("bn_x30", dropout_rate=0.1),
      "per_activation": fast("bn_x30", per_activation_blocks=1),
      "per_activation_dropout_5": fast(
        "bn_x30", per_activation_blocks=1, dropout_rate=0.05
      ),
      "larger_weights_dropout_10": fast(
        "bn_x30", init_scale=1.2, dropout_rate=0.1
      ),
    }
    return finish(config, options)
  config.arms = {
    "inception": {"norm": none},
    "bn_baseline": {},
    "bn_x5": fast("bn_x5"),
    "bn_x30": fast("bn_x30"),
    "bn_x5_sigmoid": fast("bn_x5_sigmoid", activation="sigmoid"),
  }
  return finish(config, options)


def get_rules(config):
  """What is claimed and published of it, and what its report shows."""
  title = "Inception with batch norm on ImageNet"
  if "larger_weights" in config.arms:  # the ensemble
    best = "Larger initial weights are as good as 5% dropout"
    claims = {"best": greater(best, "larger_weights", "dropout_5")}
    return Rules(title=title, claims=claims)
  steps, best = "steps_to:test_accuracy>=0.722", "max:test_accuracy"
  published = [
    rule
    for arm, overrides in config.arms.items()
    for rule in literature.inception(
      arm, metric=steps, step=overrides.get("steps", config.steps)
    )
  ]
  fewer = lambda arm, times: less(
    f"{arm}: fewer steps to 72.2%", arm, "inception", steps, times=times
  )
  claims = {
    "same_rate": fewer("bn_baseline", 2.0),
    "x5": fewer("bn_x5", 10.0),
    "x30": fewer("bn_x30", 10.0),
    "x30_best": greater("BN-x30 is best in the end", "bn_x30", "bn_x5", best),
    "sigmoid": greater("A sigmoid network trains", "bn_x5_sigmoid", 0.5, best),
  }
  return Rules(title=title, published=published, claims=claims)
