"""What the scripts share: one-line errors, flags, progress on the terminal."""

import contextlib
import os
import re
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from absl import app, flags, logging
from ml_collections import ConfigDict
from ml_collections.config_flags import config_flags
from rich import progress as rich_progress
from rich.console import Console

from bnjax import report
from bnjax.errors import UserError, choice
from bnjax.preemption import STATUS, Preempted
from bnjax.progress import Progress


def run(main: Callable[[list[str]], None]) -> None:
  """`absl.app.run`, but what a person can put right is told in one line.

  Exit status: 0 done, 1 wrong input, 75 asked to stop and saved, 130
  interrupted.
  """

  def one_line(argv: list[str]) -> None:
    try:
      main(argv)
    except UserError as error:
      sys.exit(f"error: {error}")
    except Preempted as stop:
      print(stop, file=sys.stderr)
      sys.exit(STATUS)
    except KeyboardInterrupt:
      print("interrupted", file=sys.stderr)
      sys.exit(130)

  logging.set_verbosity(logging.WARNING)  # jax tells of backends it looks for
  app.run(one_line, flags_parser=_parse_flags)


def _parse_flags(argv: list[str]) -> list[str]:
  try:
    rest = flags.FLAGS(argv)
    if rest[1:]:
      raise UserError(f"{rest[1]!r}: not a flag; write --config.field=value")
    return rest
  except (AttributeError, TypeError, KeyError):  # no such field
    try:
      _check_overrides(argv)
    except UserError as error:
      sys.exit(f"error: {error}")
    raise
  except (UserError, flags.Error) as error:
    sys.exit(f"error: {_brief(str(error))}")


def _brief(message: str) -> str:
  """The line that says what happened, of a message that holds a traceback."""
  if "Traceback (most recent call last)" in message:
    message = message.strip().splitlines()[-1]
    message = message.removeprefix("bnjax.errors.UserError: ")
  return " ".join(message.split())


def _check_overrides(argv: list[str]) -> None:
  """Raises UserError for the first `--config.a.b` that the config has not."""
  path = flags.FLAGS["config"].default
  for i, arg in enumerate(argv):
    if match := re.fullmatch(r"--?config(?:=(.*))?", arg):
      path = match[1] if match[1] is not None else argv[i + 1]
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


def read_config(name: str = "config") -> tuple[dict[str, Any], set[str]]:
  """The config that `--config` names, and the fields set on the command line.

  Raises:
    UserError: there is no such file.
  """
  flag: Any = flags.FLAGS[name]
  if flag.value is None:
    raise UserError(
      f"--{name}: which experiment? For instance "
      f"--{name}=configs/init_robustness.py"
    )
  if not isinstance(flag.value, ConfigDict):
    raise UserError(f"--{name}: there is no file {flag.config_filename}")
  return flag.value.to_dict(), set(config_flags.get_override_values(flag))


def default_workdir(name: str = "config") -> str:
  """`runs/EXPERIMENT-ARGUMENT`, from what `--config` names."""
  flag: Any = flags.FLAGS[name]
  path, _, argument = flag.config_filename.partition(":")
  parts = [Path(path).stem, *argument.replace(",", "-").split()]
  return str(Path("runs") / "-".join(parts))


def print_report(workdir: str) -> None:
  """Writes a work directory's report, prints its tables and where it lies."""
  done = report.write_report(workdir)
  report.print_tables(done.tables)
  for notice in done.notices:
    print(f"note: {notice}")
  print(f"records: {workdir}\nreport:  {done.page}")


def use_compilation_cache() -> None:
  """Keeps compiled programs between runs, in the user's cache directory.

  `JAX_COMPILATION_CACHE_DIR` chooses another place; empty means none.
  """
  if "JAX_COMPILATION_CACHE_DIR" in os.environ:
    return
  import jax

  base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
  jax.config.update("jax_compilation_cache_dir", str(base / "bnjax" / "xla"))
  jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.5)


@contextlib.contextmanager
def show_progress() -> Iterator[Callable[[Progress], None]]:
  """A function that shows `Progress`: bars on a terminal, else plain lines."""
  console = Console(stderr=True)
  if not console.is_terminal:
    yield _plain_lines()
    return
  bars = rich_progress.Progress(
    rich_progress.TextColumn("{task.description}"),
    rich_progress.BarColumn(),
    rich_progress.MofNCompleteColumn(),
    rich_progress.TimeRemainingColumn(),
    rich_progress.TextColumn("{task.fields[message]}"),
    console=console,
  )
  tasks: dict[str, Any] = {}

  def show(progress: Progress) -> None:
    arm = progress.arm or "data"
    if arm not in tasks:
      for task in tasks.values():
        bars.stop_task(task)
      tasks[arm] = bars.add_task(arm, total=progress.steps, message="")
    done = progress.step if progress.arm else progress.steps
    bars.update(tasks[arm], completed=done, message=progress.message)

  with bars:
    yield show


def _plain_lines() -> Callable[[Progress], None]:
  start = time.perf_counter()

  def show(progress: Progress) -> None:
    seconds = time.perf_counter() - start
    where = f"{progress.arm} {progress.step}/{progress.steps}: "
    text = (where if progress.arm else "") + progress.message
    print(f"[{seconds:6.1f} s] {text}", file=sys.stderr, flush=True)

  return show
