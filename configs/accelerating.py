"""Section 4.2.1 of the paper, "Accelerating BN Networks", on a small CNN.

Adding batch norm alone does not take full advantage of it, says the paper, and
lists seven changes. The arm `inception` stands for the network before: no batch
norm, dropout, local response normalization, fixed minibatches, distorted
images, a slow decay of the learning rate. `batch_norm` only adds batch norm;
each further arm makes one change more; `all` makes all seven.

  python scripts/train.py --config=configs/accelerating.py:cifar10_jpeg
"""

from bnjax.lab.config import NO_NORM, base, finish, parse
from bnjax.lab.results import Curves, Final, Rules, greater

CHANGES = {
  "higher_rate": {"optimizer": {"learning_rate": 0.05}},
  "no_dropout": {"model": {"dropout_rate": 0.0}},
  "l2_divided_by_5": {"l2": 1e-4},
  "faster_decay": {"schedule": {"speed": 6.0}},
  "no_local_response_norm": {"model": {"local_response_norm": False}},
  "thorough_shuffling": {"sampler": "epoch"},
  "less_distortion": {"augment": {"name": "none"}},
}


def get_config(arg="cifar10_jpeg"):
  """The experiment on the data set that `arg` names, small if it says smoke."""
  options = parse(arg, dataset="cifar10_jpeg")
  config = base(model="lenet", optimizer="sgd")
  config.dataset.update(name=options.dataset, transform="rgb32")
  config.model.update(channels=(8, 16), hidden=(64,), init="he")
  config.model.update(placement="before", dropout_rate=0.4)
  config.model.local_response_norm = True
  config.optimizer.update(learning_rate=0.01, momentum=0.9)
  config.schedule.update(name="exponential", rate=0.5, decay_steps=2000)
  config.augment.name = "photometric"
  config.l2 = 5e-4
  config.sampler = "fixed"
  config.update(batch_size=64, steps=1000, eval_every=500, seeds=5)
  config.arms = {
    "inception": NO_NORM,
    "inception_higher_rate": NO_NORM | CHANGES["higher_rate"],
    "batch_norm": {},
    **CHANGES,
    "all": {},
  }
  for change in CHANGES.values():
    config.arms.all.update(change)
  return finish(config, options)


def get_rules(config):
  """What is claimed and published of it, and what its report shows."""
  alone = "Batch norm alone is better than without"
  together = "All changes together are better than batch norm alone"
  claims = {
    "batch_norm": greater(alone, "batch_norm", "inception"),
    "all": greater(together, "all", "batch_norm"),
  }
  for change in CHANGES:
    text = f"On top of batch norm: {change.replace('_', ' ')}"
    claims[change] = greater(text, change, "batch_norm")
  return Rules(
    claimed={
      "Ioffe and Szegedy 2015": ("*",),
    },
    title="The paper's seven changes, one by one",
    claims=claims,
    figures={
      "final": Final(metrics=("test_accuracy", "train_loss")),
      "accuracy": Curves(metrics=("test_accuracy",)),
    },
  )
