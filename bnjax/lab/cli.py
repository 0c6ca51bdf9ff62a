"""What the scripts that train share: their config, their errors, progress."""

import difflib
import re
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from absl import flags
from ml_collections import ConfigDict
from ml_collections.config_flags import config_flags

from bnjax.lab import config_file, report, signals, usage
from bnjax.lab.config import GROUPS, complete, switched
from bnjax.lab.errors import UserError, choice
from bnjax.lab.experiment import processes
from bnjax.lab.experiment.plan import nested
from bnjax.lab.experiment.terminal import show_progress as show_progress
from bnjax.lab.results import Rules

# Of `DEFINE_config_file`: arguments are unset, and may be set all the same.
ANY_FIELD: dict[str, Any] = {
  "lock_config": False,
  "accept_new_attributes": True,
}
_EXAMPLE = "For instance --config=configs/init_robustness.py"


def run(main: Callable[[list[str]], None]) -> None:
  """`bnjax.lab.usage.run` for a program that trains and has a `--config`.

  Who is asked to stop may save before it exits, with the same status.
  """

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
    usage.run(saved, _parse_flags)


def _parse_flags(argv: list[str]) -> list[str]:
  path, given = _config_path(argv)
  if path is not None:
    _check_path(path)
    config_file.find_modules_beside(path.partition(":")[0])
  elif given:
    raise UserError(f"{given}: of which experiment? {_EXAMPLE}")
  try:
    return usage.parse_flags(argv)
  except (AttributeError, TypeError, KeyError):  # no such group?
    _check_overrides(argv, path)
    raise
  except (SyntaxError, NameError, ImportError) as error:
    file = (path or "").partition(":")[0]
    said = config_file.where(error, file)
    raise UserError(f"--config: {path}: {said}") from None


def _config_path(argv: list[str]) -> tuple[str | None, str]:
  """What `--config` names, and the first field of it that is set."""
  if "config" not in flags.FLAGS:
    return None, ""
  path, given = flags.FLAGS["config"].default, ""
  for i, arg in enumerate(argv):
    if match := re.fullmatch(r"--?config(?:=(.*))?", arg):
      path = match[1] if match[1] is not None else "".join(argv[i + 1 : i + 2])
    elif match := re.match(r"--?config\.[\w.]+", arg):
      given = given or match[0]
  return path, given


def _check_path(path: str) -> None:
  """Raises UserError if there is no such config file."""
  name = path.partition(":")[0]
  if name and Path(name).is_file() and Path(name).suffix == ".py":
    return
  if not name:
    raise UserError(f"--config: which experiment? {_EXAMPLE}")
  there = {*Path(name).parent.glob("*.py"), *Path("configs").glob("**/*.py")}
  by_name = {file.stem: str(file) for file in sorted(there)}
  near = difflib.get_close_matches(Path(name).stem, by_name, n=1)
  what = "is no Python file" if Path(name).exists() else "is not there"
  hint = f"did you mean {by_name[near[0]]}?" if near else _EXAMPLE
  raise UserError(f"--config: {name} {what}; {hint}")


def _check_overrides(argv: list[str], path: str | None) -> None:
  """Raises UserError for the first `--config.a.b` that the config has not."""
  config = config_flags.ConfigFileFlagParser("config").parse(path)
  for arg in argv:
    if match := re.match(r"--?config\.([\w.]+)", arg):
      group: Any = config
      for depth, key in enumerate(match[1].split(".")):
        field = ".".join(match[1].split(".")[: depth + 1])
        if not isinstance(group, ConfigDict):
          raise UserError(
            f"config.{field}: {field.rpartition('.')[0]} has no fields"
          )
        group = group[choice(f"config.{field}", key, group.keys())]


def read_config(name: str = "config") -> dict[str, Any]:
  """The config that `--config` names, with what the command line sets.

  Raises:
    UserError: there is no such file, or a field is wrong.
  """
  flag: Any = flags.FLAGS[name]
  if flag.value is None:
    raise UserError(f"--{name}: which experiment? {_EXAMPLE}")
  if not isinstance(flag.value, ConfigDict):
    raise UserError(f"--{name}: there is no file {flag.config_filename}")
  # `flag.value` has both in one, and who names another norm on the command
  # line does not want the file's arguments.
  file = config_flags.ConfigFileFlagParser(name, lock_config=False)
  config = complete(file.parse(flag.config_filename))
  overrides = config_flags.get_override_values(flag)
  return complete(_merged(config, nested(overrides)))


def _merged(
  config: Mapping[str, Any], overrides: Mapping[str, Any]
) -> dict[str, Any]:
  """The config with what the command line sets, all of a group at once."""
  merged = dict(config)
  for key, value in overrides.items():
    old = config.get(key)
    if not isinstance(value, dict) or not isinstance(old, dict):
      merged[key] = value
    elif key in GROUPS:
      merged[key] = switched(key, old, value)
    else:
      merged[key] = _merged(old, value)
  return merged


def read_rules(config: Mapping[str, Any], name: str = "config") -> Rules:
  """The rules that the config file that `--config` names has for a config.

  Args:
    config: of `read_config`.
    name: of the flag.

  Raises:
    UserError: its `get_rules` fails.
  """
  flag: Any = flags.FLAGS[name]
  return config_file.read_rules(flag.config_filename, config, f"--{name}")


def default_workdir(name: str = "config") -> str:
  """`runs/EXPERIMENT-ARGUMENT`, from what `--config` names."""
  flag: Any = flags.FLAGS[name]
  path, _, argument = flag.config_filename.partition(":")
  parts = [Path(path).stem, *argument.replace(",", "-").split()]
  return str(Path("runs") / "-".join(parts))


def print_report(workdir: str, rules: Rules) -> None:
  """Writes a work directory's report, prints its tables and where it lies.

  Args:
    workdir: the work directory.
    rules: those of the config file that the user named.
  """
  signals.advise(
    f"the records are there; scripts/report.py --workdir={workdir} draws the "
    "report"
  )
  done = report.write_report(workdir, rules=rules)
  report.print_tables(done.tables)
  for notice in done.notices:
    print(f"note: {notice}")
  print(f"records: {workdir}\nreport:  {done.page}")


def print_dry_run(
  config: Mapping[str, Any], rules: Rules, data_dir: str | None
) -> None:
  """Prints what a run of the config would be; writes nothing."""
  from bnjax.lab.experiment import dry_run

  found = dry_run.estimate(config, rules=rules, data_dir=data_dir)
  print("\n".join(dry_run.config_lines(found)), end="\n\n")
  report.print_tables(dry_run.to_tables(found))
