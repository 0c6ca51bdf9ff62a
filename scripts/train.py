"""Trains every arm and seed of an experiment and reports.

  python scripts/train.py --config=configs/init_robustness.py:mnist5k
  python scripts/train.py --config=configs/init_robustness.py:mnist \
    --config.seeds=10 --config.optimizer.learning_rate=3e-3 --workdir=runs/try

Kept short on purpose: all that it does is in `bnjax.experiment`.
"""

from absl import flags
from ml_collections import config_flags

from bnjax import console, experiment

_CONFIG = config_flags.DEFINE_config_file(
  "config", None, "The experiment: a file, or file:argument.", lock_config=True
)
_WORKDIR = flags.DEFINE_string(
  "workdir", None, "Where to leave results; default runs/EXPERIMENT-ARGUMENT."
)
_DATA_DIR = flags.DEFINE_string(
  "data_dir", None, "Where prepared TFDS data sets are; default TFDS_DATA_DIR."
)


def main(argv: list[str]) -> None:
  """Runs the experiment and prints its table."""
  del argv
  config, explicit = console.read_config()
  workdir = _WORKDIR.value or console.default_workdir()
  console.use_compilation_cache()
  with console.show_progress() as report_progress:
    experiment.run(
      config,
      workdir,
      explicit=explicit,
      data_dir=_DATA_DIR.value,
      report_progress=report_progress,
    )
  console.print_report(workdir)


if __name__ == "__main__":
  console.run(main)
