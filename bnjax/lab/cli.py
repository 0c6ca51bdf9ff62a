"""What the scripts that train share: their config, their errors, progress."""

import functools
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from absl import flags

from bnjax.lab import config_file, report, signals, usage
from bnjax.lab.config import complete
from bnjax.lab.config.text import convert, lookup, merged
from bnjax.lab.errors import UserError
from bnjax.lab.experiment import processes
from bnjax.lab.experiment.plan import Network, nested
from bnjax.lab.experiment.terminal import show_progress as show_progress
from bnjax.lab.results import Rules

_FIELDS = flags.DEFINE_multi_string(
  "config_fields", [], "What --config.FIELD=VALUE is to absl."
)
_EXAMPLE = "for instance --config=init_robustness"


def run(main: Callable[[list[str]], None]) -> None:
  """`bnjax.lab.usage.run` for a program that trains and has a `--config`.

  Who is asked to stop may save before it exits, with the same status.
  """

  @functools.wraps(main)
  def saved(argv: list[str]) -> None:
    try:
      main(argv)
    except signals.Preempted as stop:
      print(stop, file=sys.stderr)
      sys.exit(signals.status())
    except RuntimeError as error:  # of JAX, in one line of many
      if not str(error).startswith("Unable to initialize backend"):
        raise
      said = str(error).splitlines()[0]
      raise UserError(f"JAX_PLATFORMS: {said}") from None

  with processes.leaving():
    usage.run(saved, as_flags if "config" in flags.FLAGS else list)


def as_flags(argv: Sequence[str]) -> list[str]:
  """The command line with what sets fields of the config as flags of absl.

  >>> as_flags(["train", "--config.l2=0.1", "--config.stream", "--quiet"])
  ['train', '--config_fields=l2=0.1', '--config_fields=stream', '--quiet']
  >>> as_flags(["train", "--config.l2", "0.1", "--noconfig.stream"])
  ['train', '--config_fields=l2=0.1', '--config_fields=stream=false']
  """
  found: list[str] = []
  for arg in argv:
    if match := re.fullmatch(r"--?(no)?config\.(.+)", arg, re.DOTALL):
      no, field = match.groups()
      found.append(f"--config_fields={field}{'=false' if no else ''}")
    elif found and _waits(found[-1]) and not arg.startswith("--"):
      found[-1] += f"={arg}"
    else:
      found.append(arg)
  return found


def _waits(flag: str) -> bool:
  """Whether a field's value is not there yet."""
  return flag.startswith("--config_fields=") and flag.count("=") == 1


def read_config() -> dict[str, Any]:
  """The config that `--config` names, with what the command line sets."""
  return configured(flags.FLAGS.config, _FIELDS.value)


def configured(path: str | None, given: Sequence[str]) -> dict[str, Any]:
  """The config that `--config` names, with FIELD=VALUE of what is set.

  Raises:
    UserError: there is no such file, or a field is wrong.
  """
  if path is None:
    which = f"config.{given[0].partition('=')[0]}: of" if given else "config:"
    raise UserError(f"--{which} which experiment? {_EXAMPLE}")
  if not path.partition(":")[0]:
    raise UserError(f"--config: which experiment? {_EXAMPLE}")
  config = complete(config_file.read_config(path))
  # Names first: what they name says what its arguments are.
  is_name = lambda text: text.partition("=")[0].endswith(".name")
  overrides: dict[str, Any] = {}
  for text in sorted(given, key=is_name, reverse=True):
    field, equals, value = text.partition("=")
    known = lookup(merged(config, nested(overrides)), field, "config.")
    if not equals and known.kind is not bool:
      raise UserError(
        f"--config.{field}: its value is missing; write --config.{field}=..."
      )
    value = value if equals else "true"
    overrides[field] = convert(f"config.{field}", value, known)
  return complete(merged(config, nested(overrides)))


def read_rules(config: Mapping[str, Any]) -> Rules:
  """The rules that the config file that `--config` names has for a config."""
  return config_file.read_rules(flags.FLAGS.config, config)


def default_workdir() -> str:
  """`runs/EXPERIMENT-ARGUMENT`, from what `--config` names."""
  path, _, argument = flags.FLAGS.config.partition(":")
  parts = [Path(path).stem, *argument.replace(",", "-").split()]
  return str(Path("runs") / "-".join(parts))


def print_report(workdir: str, rules: Rules) -> None:
  """Writes a work directory's report, prints its results and where it lies."""
  signals.advise(
    usage.as_called(
      "the records are there; scripts/report.py "
      f"--workdir={workdir} draws the report"
    )
  )
  done = report.write_report(workdir, rules=rules)
  report.print_summary(done.summary, done.notices)
  print(f"records: {workdir}\nreport:  {done.page}")


def print_dry_run(
  config: Mapping[str, Any],
  rules: Rules,
  data_dir: str | None,
  networks: Sequence[Network] | None = None,
) -> None:
  """Prints what a run would be, see `experiment.run`; writes nothing."""
  from bnjax.lab.experiment import dry_run

  found = dry_run.estimate(
    config, rules=rules, data_dir=data_dir, networks=networks
  )
  print("\n".join(dry_run.config_lines(found)), end="\n\n")
  report.print_tables(dry_run.to_tables(found))
