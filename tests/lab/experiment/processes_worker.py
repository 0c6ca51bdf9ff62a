"""One of several processes that train together; run by processes_test.py.

python processes_worker.py --workdir=... --port=... --count=... --index=...
"""

from absl import flags

from bnjax.lab import cli as console, experiment
from bnjax.lab.config import base
from bnjax.lab.experiment import processes

ARMS = {
  "mlp": {"model": {"dropout_rate": 0.3}, "batch_size": 32},
  "cnn": {"model": {"name": "lenet"}},
}


def make_config(steps, arms=tuple(ARMS)):
  """A config of an MLP with dropout, and a CNN on batches of uneven shares."""
  config = base(optimizer="sgd")
  config.dataset.name = "mnist5k"
  config.dataset.examples = 500
  config.model.update(width=50, depth=1)
  config.optimizer.learning_rate = 0.01
  # In float32 a rounding grows once it changes which units are active.
  config.precision = "float64"
  config.batch_size = 30
  config.steps = steps
  config.eval_every = 20
  config.seeds = 1
  config.population_batches = 3
  config.save_params = True
  config.arms = {arm: ARMS[arm] for arm in arms}
  return config.to_dict()


def main(argv):
  del argv
  given = flags.FLAGS
  processes.join(f"127.0.0.1:{given.port}", given.count, given.index)
  experiment.run(
    make_config(given.steps, given.arms),
    given.workdir,
    checkpoint_seconds=1,
    report_progress=lambda progress: print(progress, flush=True),
  )


if __name__ == "__main__":  # tests import this too, and flags are global
  flags.DEFINE_string("workdir", None, "Of the run.")
  flags.DEFINE_list("arms", list(ARMS), "What is trained.")
  for name in ("port", "count", "index", "steps"):
    flags.DEFINE_integer(name, None, "As the name says.")
  console.run(main)
