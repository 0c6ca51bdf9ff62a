r"""Trains every arm and seed of an experiment and reports.

  python scripts/train.py --config=init_robustness:mnist5k
  python scripts/train.py --config=init_robustness:mnist \
    --config.seeds=10 --config.optimizer.learning_rate=3e-3 --workdir=runs/try
  python scripts/train.py --config=trainability:mnist --dry_run

A run that was stopped, by whatever, goes on when the same command is given
again. Asked to stop, it saves and exits: with status 75 after SIGTERM, with 130
after Ctrl-C.
"""

from collections.abc import Sequence
from pathlib import Path

from absl import flags

from bnjax.lab import cli as console, experiment, signals, writers
from bnjax.lab.experiment import processes
from bnjax.lab.experiment.compilation import use_compilation_cache

_CONFIG = flags.DEFINE_string(
  "config", None, "The experiment: NAME or FILE.py, and an :ARGUMENT for it."
)
_WORKDIR = flags.DEFINE_string(
  "workdir", None, "Where to leave results; default runs/EXPERIMENT-ARGUMENT."
)
_DATA_DIR = flags.DEFINE_string(
  "data_dir", None, "Where prepared TFDS data sets are; default TFDS_DATA_DIR."
)
_WRITERS = flags.DEFINE_list(
  "writers", None, "tensorboard (default), wandb, mlflow, or module:object."
)
_OVERWRITE = flags.DEFINE_boolean(
  "overwrite", False, "Remove the run that --workdir holds, whatever it is."
)
_DRY_RUN = flags.DEFINE_boolean(
  "dry_run", False, "Say what would run and about how long; write nothing."
)
_QUIET = flags.DEFINE_boolean("quiet", False, "Show no progress.")
_CHECKPOINT_SECONDS = flags.DEFINE_float(
  "checkpoint_seconds", 60.0, "Between checkpoints; 0: none.", lower_bound=0
)
_MESH = flags.DEFINE_string(
  "mesh", None, "data=N: divide each minibatch over N devices."
)
_COORDINATOR = flags.DEFINE_string(
  "coordinator_address", None, "host:port of the first of several processes."
)
_NUM_PROCESSES = flags.DEFINE_integer(
  "num_processes", None, "How many processes there are.", lower_bound=1
)
_PROCESS_ID = flags.DEFINE_integer(
  "process_id", None, "Which of them this is, from 0.", lower_bound=0
)


def main(argv: list[str]) -> None:
  """Runs the experiment and prints its table."""
  del argv
  config = console.read_config()
  rules = console.read_rules(config)
  if _DRY_RUN.value:
    console.print_dry_run(config, rules, _DATA_DIR.value)
    return
  processes.join(_COORDINATOR.value, _NUM_PROCESSES.value, _PROCESS_ID.value)
  workdir = _WORKDIR.value or console.default_workdir()
  use_compilation_cache()
  saves = _CHECKPOINT_SECONDS.value and not config["interleave"]
  same = f"the same command{' without --overwrite' * _OVERWRITE.value}"
  signals.advise(
    f"{same} goes on from the last checkpoint, if there is one"
    if saves
    else f"{same} starts afresh"
  )
  with console.show_progress(quiet=_QUIET.value) as report_progress:
    experiment.run(
      config,
      workdir,
      rules=rules,
      # Killed while its report was drawn, it is finished all the same.
      overwrite=_OVERWRITE.value,
      again=(Path(workdir) / "report" / "index.html").exists(),
      data_dir=_DATA_DIR.value,
      checkpoint_seconds=_CHECKPOINT_SECONDS.value,
      mesh=_MESH.value,
      writers=_chosen_writers(),
      report_progress=report_progress,
    )
  if processes.is_first():
    console.print_report(workdir, rules)


def _chosen_writers() -> Sequence[str]:
  return writers.installed() if _WRITERS.value is None else _WRITERS.value


def run() -> None:
  """Runs the program."""
  console.run(main)
