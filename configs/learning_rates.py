"""Which learning rates train, with and without batch norm?

The grid of Udacity's "Batch Normalization Lesson": initial weights N(0, .05^2)
or N(0, 5^2), ReLU or sigmoid, learning rates .01, 1 and 2, three layers of 100.
Published are single runs, kept in several public copies of the notebook.

  python scripts/train.py --config=configs/learning_rates.py:mnist
"""

from bnjax.lab.config import NO_NORM, base, finish, parse
from bnjax.lab.literature import LESSON_RELU, LESSON_SIGMOID, lesson
from bnjax.lab.results import Rules, greater


def get_config(arg="mnist"):
  """The experiment on the data set that `arg` names, small if it says smoke."""
  options = parse(arg)
  config = base(model="mlp", optimizer="sgd")
  config.dataset.update(name=options.dataset, center=False)
  config.model.update(width=100, depth=3, init="normal")
  config.norm.update(epsilon=1e-3, decay=0.99)
  config.update(batch_size=60, steps=50_000, eval_every=2000, seeds=3)
  config.grid = {
    "optimizer": {"learning_rate": (0.01, 1.0, 2.0)},
    "model": {"init_scale": (0.05, 5.0)},
  }
  sigmoid = {"model": {"activation": "sigmoid"}}
  config.arms = {
    "relu_batch_norm": {},
    "relu": NO_NORM,
    "sigmoid_batch_norm": sigmoid,
    "sigmoid": NO_NORM | sigmoid,
  }
  return finish(config, options)


def get_rules(config):
  """What is claimed and published of it, and what its report shows."""
  published = []
  for arm, table in (("relu", LESSON_RELU), ("sigmoid", LESSON_SIGMOID)):
    published += lesson(arm, table, batch_norm=False)
    published += lesson(f"{arm}_batch_norm", table, batch_norm=True)
  higher = "ReLU networks train at higher rates with batch norm"
  tenfold = "ReLU networks train at rates ten times as high with batch norm"
  more = "More of the grid trains with batch norm"
  arms, rate = ("relu_batch_norm", "relu"), "largest_learning_rate"
  return Rules(
    claimed={
      "Udacity": ("*",),
    },
    title="Learning rates and initializations that train",
    published=published,
    claims={
      "higher_rates": greater(higher, *arms, rate, times=1.0),
      "tenfold": greater(tenfold, *arms, rate, times=10.0),
      "more_points": greater(more, *arms, "trained_fraction"),
    },
    notes=(
      "'Ten times' was the claim until the day of this run, when it was put as "
      "what the grid can show. Both are judged.",
      "The published runs at N(0, 5²) are those of two cells of the lesson: "
      "with batch norm and ReLU some of them fail.",
    ),
  )
