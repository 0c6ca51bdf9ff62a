"""Other programs that show a run while it trains, chosen by name.

The records of the work directory stay the source of truth; see
`bnjax.lab.writers.writer` for what a writer is.
"""

import functools
import importlib.util
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from bnjax.lab.errors import UserError, choice
from bnjax.lab.registry import is_outside, lookup
from bnjax.lab.writers.mlflow_store import MlflowRun
from bnjax.lab.writers.per_network import PerNetwork
from bnjax.lab.writers.tensorboard import TensorBoardRun
from bnjax.lab.writers.weights_and_biases import WandbRun
from bnjax.lab.writers.writer import About, Network, Row, Run, Writer

__all__ = ["WRITERS", "Writer", "check", "installed", "open_writers"]


class _Kind(NamedTuple):
  """A writer that can be chosen."""

  package: str  # what it needs
  extra: str  # of bnjax, that brings the package
  # from the work directory and a network to its run
  open_run: Callable[[Path, About], Run]
  most: int  # networks it is used for; with more, its page would be of no use
  tables: bool = False  # whether its runs can show tables


WRITERS: dict[str, _Kind] = {
  "tensorboard": _Kind(
    "tensorboardX",
    "lab",
    lambda workdir, about: TensorBoardRun(workdir / "tensorboard", about),
    200,
    tables=True,
  ),
  "wandb": _Kind("wandb", "wandb", WandbRun, 50, tables=True),
  "mlflow": _Kind("mlflow", "mlflow", MlflowRun, 200),
}


def _find(name: str) -> _Kind:
  """The kind of a name, or of "package.module:object" from outside.

  What is outside is called as `open_run` is, and needs what it imports.
  """
  if is_outside(name):
    opened = lookup("--writers", name, WRITERS)
    return _Kind(name.partition(":")[0].partition(".")[0], "", opened, 200)
  return WRITERS[choice("--writers", name, WRITERS)]


def installed(names: Sequence[str] = ("tensorboard",)) -> tuple[str, ...]:
  """Those of `names` whose package is there."""
  return tuple(name for name in names if _is_there(WRITERS[name].package))


def _is_there(package: str) -> bool:
  return importlib.util.find_spec(package) is not None


def check(names: Sequence[str]) -> None:
  """Raises UserError for a name that is not known or whose package is missing.

  Loads nothing but what is from outside, and writes nothing.
  """
  for name in names:
    kind = _find(name)
    if not is_outside(name) and not _is_there(kind.package):
      raise UserError(
        f"--writers: {name} needs {kind.package}, which is not installed; "
        f"pip install 'bnjax[{kind.extra}]'"
      )


def _print(line: str) -> None:
  print(f"note: {line}", file=sys.stderr)


def open_writers(
  names: Sequence[str],
  workdir: str | Path,
  experiment: str,
  networks: Sequence[Network],
  *,
  notify: Callable[[str], None] = _print,
) -> Writer:
  """The writers of these names as one; it does nothing if there are none.

  Args:
    names: keys of `WRITERS`, or "package.module:object": what makes a `Run`
      of the work directory and what a network is `About`.
    workdir: the run's, where a writer leaves its files.
    experiment: the experiment's name.
    networks: all that will be told of, of `experiment.plan.networks`.
      A writer that would get too many of them is left out, with a notice.
    notify: called with a line for people, of what is left out or fails.

  Raises:
    UserError: as `check` does.
  """
  check(names)
  opened: dict[str, Writer] = {}
  for name in dict.fromkeys(names):
    kind = _find(name)
    if len(networks) > kind.most:
      notify(
        f"writer {name} is left out: {len(networks):,} networks are more than "
        f"the {kind.most} it is of use for; the records hold them all"
      )
      continue
    open_run = functools.partial(kind.open_run, Path(workdir))
    opened[name] = PerNetwork(
      open_run, experiment, networks, tables=kind.tables
    )
  return _Composite(opened, notify)


class _Composite:
  """Tells every writer; one that fails is told of once, and left out."""

  def __init__(
    self, writers: Mapping[str, Writer], notify: Callable[[str], None]
  ):
    self._writers = dict(writers)
    self._notify = notify

  def rows(self, rows: Sequence[Row]) -> None:
    self._each(lambda writer: writer.rows(rows))

  def probe_rows(self, rows: Sequence[Row]) -> None:
    self._each(lambda writer: writer.probe_rows(rows))

  def predictions(self, rows: Sequence[Row]) -> None:
    self._each(lambda writer: writer.predictions(rows))

  def close(self) -> None:
    self._each(lambda writer: writer.close())
    self._writers.clear()

  def _each(self, tell: Callable[[Writer], None]) -> None:
    for name, writer in list(self._writers.items()):
      try:
        tell(writer)
      except Exception as error:  # whatever it is, training is worth more
        del self._writers[name]
        what = " ".join(str(error).split()) or type(error).__name__
        self._notify(
          f"writer {name} failed and is left out from here on, the records "
          f"are complete without it: {what[:300]}"
        )
