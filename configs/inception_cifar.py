"""Section 4.2 of the paper on small images: its five networks, and one more.

`inception` is the network before: no batch norm, dropout, local response
normalization, distorted images, a slow decay of the learning rate.
`bn_baseline` adds batch norm; `bn_x5`, `bn_x30` and `bn_x5_sigmoid` make all
changes of section 4.2.1, at 5 or 30 times the rate; `inception_x5` has 5 times
the rate without batch norm. Five blocks, a 16th of the features. RATE is the
largest of .003, .01 and .03 at which the loss of `inception` falls in 200 steps
(at .03 it falls, and then returns to ln 10). REFERENCE is the test accuracy to
count steps to: as in the paper the best of `inception`, the least of its three
seeds, set once that had been run.
"""

from bnjax.lab.config import NO_NORM, base, finish, parse
from bnjax.lab.literature import INCEPTION, inception
from bnjax.lab.results import Curves, Rules, StepsTo, greater, less

RATE, REFERENCE = 0.01, 0.307


def get_config(arg="cifar10_jpeg"):
  """The experiment on the data set that `arg` names, small if it says smoke."""
  options = parse(arg, dataset="cifar10_jpeg")
  config = base(model="small_inception", optimizer="sgd")
  config.dataset.update(name=options.dataset, transform="rgb32")
  blocks = ("3c", "5b") if options.smoke else ("3a", "3c", "4a", "4e", "5b")
  config.model.update(blocks=blocks, width_factor=1 / 16, init_scale=1.2)
  config.model.update(dropout_rate=0.4, local_response_norm=True)
  config.optimizer.update(learning_rate=RATE, momentum=0.9)
  config.schedule.update(name="exponential", decay_steps=3000)
  config.augment.name = "photometric"
  config.update(l2=5e-4, batch_size=32, steps=3000, eval_every=100, seeds=3)
  times = lambda factor: {"optimizer": {"learning_rate": factor * RATE}}
  simpler = {"dropout_rate": 0.0, "local_response_norm": False}
  changed = {"model": simpler, "augment": {"name": "none"}, "l2": 1e-4}
  changed |= {"schedule": {"speed": 6.0}}
  sigmoid = {"model": simpler | {"activation": "sigmoid"}}
  config.arms = {
    "inception": NO_NORM,
    "inception_x5": NO_NORM | times(5),
    "bn_baseline": {},
    "bn_x5": changed | times(5),
    "bn_x30": changed | times(30),
    "bn_x5_sigmoid": changed | times(5) | sigmoid,
  }
  return finish(config, options)


def get_rules(config):
  """What is claimed and published of it, and what its report shows."""
  steps, best = f"steps_to:test_accuracy>={REFERENCE}", "max:test_accuracy"
  published = [
    rule
    for arm in INCEPTION
    if arm != "inception"
    for rule in inception(
      arm, metric=steps, step=config.steps, versus="inception"
    )
  ]
  fewer = lambda text, arm, factor: less(
    f"{text} steps to {REFERENCE:.1%}", arm, "inception", steps, times=factor
  )
  claims = {
    "same_rate": fewer("About half the", "bn_baseline", 1.5),
    "x5": fewer("Five times the rate: far fewer", "bn_x5", 3.0),
    "x30": fewer("Thirty times: far fewer", "bn_x30", 3.0),
    "x30_best": greater("x30 is best in the end", "bn_x30", "bn_x5", best),
    "sigmoid": greater("A sigmoid network trains", "bn_x5_sigmoid", 0.2, best),
    "diverges": less(
      "Without batch norm five times the rate does not train",
      "inception_x5",
      0.2,
    ),
  }
  return Rules(
    claimed={
      "Ioffe and Szegedy 2015": ("*",),
    },
    title="Inception with batch norm, on small images",
    published=published,
    claims=claims,
    figures={
      "accuracy": Curves(metrics=("test_accuracy",)),
      "steps": StepsTo(metric="test_accuracy", thresholds=(REFERENCE,)),
    },
  )
