"""Section 4.2 of the paper on small images: the five networks, and one more.

`inception` is the network before: no batch norm, dropout, local response
normalization, distorted images, a slow decay of the learning rate.
`bn_baseline` only adds batch norm. `bn_x5`, `bn_x30` and `bn_x5_sigmoid` make
all changes of section 4.2.1 with 5 or 30 times the learning rate;
`inception_x5` has no batch norm and 5 times the rate. RATE is the largest of
.001, .003, .01, .03, .1 at which `inception` learns; REFERENCE its best test
accuracy, which the paper's table counts the steps to.

  python scripts/train.py --config=configs/inception_cifar.py:cifar10_jpeg
"""

from bnjax.config import base, finish, parse
from bnjax.shorthands import greater, less

RATE = 0.01
REFERENCE = 0.5
BLOCKS = ("3a", "3c", "5b")  # of a smoke run


def get_config(arg="cifar10_jpeg"):
  """The experiment on the data set that `arg` names, small if it says smoke."""
  options = parse(arg, dataset="cifar10_jpeg")
  config = base(model="small_inception", optimizer="sgd")
  config.title = "Inception with batch norm, on small images"
  config.dataset.update(name=options.dataset, transform="rgb32")
  config.model.update(dropout_rate=0.4, local_response_norm=True)
  config.model.update(width_factor=1 / 16, init_scale=1.2)
  config.model.blocks = BLOCKS if options.smoke else ()
  config.optimizer.update(learning_rate=RATE, momentum=0.9)
  config.augment.name = "photometric"
  config.l2 = 5e-4
  config.batch_size = 32
  config.steps = 4000
  config.eval_every = 250
  config.seeds = 1
  config.across = "map"
  config.schedule.update(name="exponential", decay_steps=config.steps)
  none = {"name": "none"}
  changes = {
    "model": {"dropout_rate": 0.0, "local_response_norm": False},
    "schedule": {"speed": 6.0},
    "augment": none,
    "l2": config.l2 / 5,
    "optimizer": {"learning_rate": 5 * RATE},
  }
  x5 = {"learning_rate": 5 * RATE}
  sigmoid = {"model": changes["model"] | {"activation": "sigmoid"}}
  config.arms = {
    "inception": {"norm": none},
    "inception_x5": {"norm": none, "optimizer": x5},
    "bn_baseline": {},
    "bn_x5": changes,
    "bn_x30": changes | {"optimizer": {"learning_rate": 30 * RATE}},
    "bn_x5_sigmoid": changes | sigmoid,
  }
  steps, best = f"steps_to:test_accuracy>={REFERENCE}", "max:test_accuracy"
  control, to = "inception", "steps to the best accuracy without batch norm"
  config.claims = {
    "same_rate": less(f"About half the {to}", "bn_baseline", control, steps,
                      times=1.5, published="2.33 times fewer"),
    "x5": less(f"Five times the rate: far fewer {to}", "bn_x5", control, steps,
               times=3.0, published="14.8 times fewer"),
    "x30": less(f"Thirty times the rate: far fewer {to}", "bn_x30", control,
                steps, times=3.0, published="11.5 times fewer"),
    "x30_best": greater("Thirty times the rate is best in the end", "bn_x30",
                        "bn_x5", best, published="74.8% and 73.0%"),
    "sigmoid": greater("A sigmoid network trains with batch norm",
                       "bn_x5_sigmoid", 0.2, best, published="69.8%"),
    "diverges": less("Without batch norm five times the rate diverges",
                     "inception_x5", 0.2, published="reaches infinity"),
  }  # fmt: skip
  config.figures = {
    "accuracy": {"kind": "curves", "metrics": ("test_accuracy",)},
    "steps": {"kind": "steps_to", "metric": "test_accuracy",
              "thresholds": (REFERENCE,)},
  }  # fmt: skip
  return finish(config, options)
