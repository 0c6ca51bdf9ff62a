r"""Trains an experiment at many settings; goes on where it was interrupted.

  python scripts/sweep.py --config=sweeps/learning_rates:mnist5k
  python scripts/sweep.py --config=init_robustness \
    --arms=batch_norm --grid config.seed=0..9 \
    --grid config.optimizer.learning_rate=log:1e-4..1e-1:12
  python scripts/sweep.py --config=lenet:mnist --trials=40 \
    --random config.optimizer.learning_rate=log:1e-4..1 \
    --random config.batch_size=32,64,128 \
    --launcher=slurm --partition=gpu --gpus=1 --timeout=120

The config's own grid, points and sweep(add) are crossed with these.
"""

from pathlib import Path

from absl import flags

from bnjax.lab import (
  cli as console,
  config_file,
  launch as sweep,
  report,
  results,
  signals,
)
from bnjax.lab.errors import UserError
from bnjax.lab.experiment.compilation import use_compilation_cache

_CONFIG = flags.DEFINE_string(
  "config", None, "The experiment: NAME or FILE.py, and an :ARGUMENT for it."
)
_SWEEP = flags.DEFINE_string(
  "sweep", None, "A file with sweep(add); default: --config's, if it has one."
)
_GRID = flags.DEFINE_multi_string(
  "grid", [], "An axis: config.field=1,2 or log:1e-4..1:12; crossed."
)
_ZIP = flags.DEFINE_multi_string(
  "zip", [], "Axes that advance together: 'config.a=1,2;config.b=3,4'."
)
_RANDOM = flags.DEFINE_multi_string(
  "random", [], "A field to draw: config.field=log:1e-4..1, 1..9 or a,b,c."
)
_TRIALS = flags.DEFINE_integer(
  "trials", 20, "How many random points.", lower_bound=1
)
_SEED = flags.DEFINE_integer("sweep_seed", 0, "Of the random points.")
_ARMS = flags.DEFINE_list("arms", [], "Arms of the config; default: all.")
_WORKDIR = flags.DEFINE_string(
  "workdir", None, "Where to leave results; default runs/sweep-EXPERIMENT."
)
_DATA_DIR = flags.DEFINE_string(
  "data_dir", None, "Where prepared TFDS data sets are; default TFDS_DATA_DIR."
)
_WRITERS = flags.DEFINE_list(
  "writers", [], "tensorboard, wandb, mlflow, or module:object; default none."
)
_DRY_RUN = flags.DEFINE_boolean(
  "dry_run", False, "Say what would run and about how long; write nothing."
)
_LAUNCHER = flags.DEFINE_enum(
  "launcher",
  "local",
  ["here", "local", "slurm"],
  "Where: in this process, in workers on this machine, or as a job array.",
)
_WORKERS = flags.DEFINE_integer(
  "workers", 0, "Local processes; 0: one a GPU, or one a core.", lower_bound=0
)
_TOGETHER = flags.DEFINE_integer(
  "trials_per_job",
  0,
  "Networks that a process trains together at most; 0: all of one program.",
  lower_bound=0,
)
_TIMEOUT = flags.DEFINE_integer("timeout", 60, "Slurm: minutes a job.")
_PARTITION = flags.DEFINE_string("partition", "", "Slurm: partition.")
_GPUS = flags.DEFINE_integer("gpus", 0, "Slurm: GPUs a job.", lower_bound=0)
_CPUS = flags.DEFINE_integer("cpus", 0, "Slurm: cores a job.", lower_bound=0)
_AT_ONCE = flags.DEFINE_integer("jobs", 256, "Slurm: jobs at a time.")


def main(argv: list[str]) -> None:
  """Runs the sweep and prints the best settings."""
  del argv
  config = console.read_config()
  rules = console.read_rules(config)
  points = sweep.read_points(
    config,
    file=config_file.find(
      _SWEEP.value or (_CONFIG.value or "").partition(":")[0],
      "--sweep" if _SWEEP.value else "--config",
    ),
    required=_SWEEP.value is not None,
    grid=_GRID.value,
    zips=_ZIP.value,
    drawn=_RANDOM.value,
    count=_TRIALS.value,
    seed=_SEED.value,
  )
  plan = sweep.planned(config, points, _ARMS.value)
  rules = results.fitting_rules(rules, plan)
  if _DRY_RUN.value:
    networks, wrong = sweep.make_networks(
      plan, arms=_ARMS.value, data_dir=_DATA_DIR.value
    )
    console.print_dry_run(plan, rules, _DATA_DIR.value, networks)
    for line in sweep.failures(wrong):
      print(f"would fail: {line}")
    return
  if plan["predictions"]:
    print("note: a sweep leaves no predictions; training in one process does")
  name = console.default_workdir().replace("runs/", "runs/sweep-", 1)
  workdir = Path(_WORKDIR.value or name)
  launcher = _launcher(workdir)
  signals.advise(lambda: f"the same command goes on{launcher.hint()}")
  outcome = sweep.run(
    plan,
    workdir,
    launcher,
    arms=_ARMS.value,
    rules=rules,
    data_dir=_DATA_DIR.value,
    per_part=_TOGETHER.value,
    writers=_WRITERS.value,
  )
  if table := sweep.best_table(outcome.rows, rules.grid_metric):
    report.print_tables([table])
  if outcome.rows:
    console.print_report(str(workdir), rules)
  if outcome.failed:
    total = len(outcome.rows) + len(outcome.failed) + outcome.missing
    raise UserError(
      f"{len(outcome.failed)} of {total} networks failed, see "
      f"{workdir / 'failed.json'}; the first one: "
      f"{outcome.failed[0]['error']}"
    )


def _launcher(workdir: Path) -> sweep.Launcher:
  """What `--launcher` names."""
  if _LAUNCHER.value == "here":
    use_compilation_cache()
    return sweep.Here(_DATA_DIR.value)
  if _LAUNCHER.value == "local":
    return sweep.Local(
      workdir, workers=_WORKERS.value, data_dir=_DATA_DIR.value
    )
  options = sweep.Options(
    timeout=_TIMEOUT.value,
    partition=_PARTITION.value,
    gpus=_GPUS.value,
    cpus=_CPUS.value,
    at_once=_AT_ONCE.value,
  )
  return sweep.Slurm(workdir, options, _DATA_DIR.value)


def run() -> None:
  """Runs the program."""
  console.run(main)
