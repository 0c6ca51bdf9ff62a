"""What batch norm costs: time of the same training with and without it.

The 2016 post measured +31% for its NumPy code, whole process. Here each network
is a program of its own, all take turns on the same machine, and the ratio is
taken of whole processes (start, data, compilation, training, evaluation) and of
steps alone: for the post's network, for a CNN, and against whitening, full or
by groups of 16 units, which the paper calls too expensive. Times are of the
machine that ran it.

  python scripts/train.py --config=configs/cost.py:mnist
"""

from bnjax.lab.config import NO_NORM, base, finish, parse
from bnjax.lab.literature import POST, number
from bnjax.lab.results import Final, Rules, greater, within


def get_config(arg="mnist"):
  """The experiment on the data set that `arg` names, small if it says smoke."""
  options = parse(arg)
  config = base(model="mlp", optimizer="adam")
  config.dataset.name = options.dataset
  config.model.update(width=256, depth=2, init="he", dropout_rate=0.5)
  config.norm.update(epsilon=1e-5, decay=0.9)
  config.optimizer.learning_rate = 1e-3
  config.update(batch_size=256, steps=1000, eval_every=1000, interleave=True)
  config.machine.max_networks = 1
  cnn = {
    "model": {"name": "lenet"},
    "dataset": {"transform": "rgb32"},
    "steps": 200,
  }
  few = {"steps": 100}
  norm = lambda name, **own: {"norm": {"name": name, "decay": 0.9, **own}}
  config.arms = {
    "mlp": NO_NORM,
    "mlp_batch_norm": {},
    "mlp_flax_batch_norm": norm("flax_batch_norm"),
    "mlp_whitening": norm("whitening", group_size=256) | few,
    "mlp_whitening_by_16": norm("whitening") | few,
    "mlp_iter_norm_by_16": norm("iter_norm") | few,
    "cnn": NO_NORM | cnn,
    "cnn_batch_norm": cnn,
  }
  return finish(config, options)


def get_rules(config):
  """What is claimed and published of it, and what its report shows."""
  where = {"relative_to": "mlp", "step": 1000, "source": f"{POST}, timing"}
  # Of `time`: 47.958 s to 36.616, in user mode 81.12 to 63.94, in system mode
  # 7.34 to 4.42.
  ratios = {"": 1.31, "_user": 1.269, "_system": 1.661}
  processes = tuple(
    number("mlp_batch_norm", f"process{kind}_seconds", ratio, **where)
    for kind, ratio in ratios.items()
  )
  third = "Batch norm adds 30% to a training step or more"
  whitening = "Full whitening makes a step ten times as long as batch norm does"
  flax = "A step with Flax's batch norm takes as long as with ours"
  step = "step_seconds"
  pairs = {
    "mlp": ("mlp_batch_norm", "mlp"),
    "cnn": ("cnn_batch_norm", "cnn"),
    "flax": ("mlp_flax_batch_norm", "mlp_batch_norm"),
    "whitening": ("mlp_whitening", "mlp_batch_norm"),
  }
  return Rules(
    claimed={
      "Kristiadi 2016": ("mlp",),
    },
    title="What batch norm costs",
    published=processes,
    claims={
      "mlp": greater(third, *pairs["mlp"], step, times=1.3),
      "cnn": greater(f"CNN: {third}", *pairs["cnn"], step, times=1.3),
      "flax": within(1.1, flax, *pairs["flax"], step, ratio=True),
      "whitening": greater(whitening, *pairs["whitening"], step, times=10.0),
    },
    figures={"steps": Final(metrics=(step,), log_x=True)},
  )
