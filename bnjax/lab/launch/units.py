"""Units of work: trials that one process trains, and where they are told.

A unit is an experiment whose arms are trials, run in a work directory of its
own by `experiment.engine`. Trials that differ in numbers alone are in the same
unit, and share its compiled program.

    WORKDIR/groups/ID/unit.json     the config, and which trials
    WORKDIR/groups/ID/run/          the experiment's work directory
    WORKDIR/groups/ID/status.json   how it ended
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from bnjax.lab import results
from bnjax.lab.experiment.plan import Network, groups
from bnjax.lab.launch.trials import Trial

GROUPS = "groups"
STOPPED = 75  # exit status: EX_TEMPFAIL, the same unit can be gone on with


class Unit(NamedTuple):
  """Trials that are trained together.

  Attributes:
    folder: where it is kept.
    trials: in order.
  """

  folder: Path
  trials: tuple[Trial, ...]

  @property
  def run(self) -> Path:
    """The experiment's work directory."""
    return self.folder / "run"

  @property
  def name(self) -> str:
    """What it is called in messages."""
    return self.folder.name

  @property
  def steps(self) -> int:
    """How many steps its trials train for."""
    return int(self.trials[0].spec["steps"])


class Status(NamedTuple):
  """How a unit ended: "done", "failed" or "stopped", and the error."""

  state: str
  error: str = ""


def make_units(
  trials: Sequence[Trial], workdir: Path, *, at_most: int = 0
) -> list[Unit]:
  """Sorts trials into units.

  Args:
    trials: valid ones.
    workdir: of the sweep.
    at_most: trials in a unit; 0 for all that share a program.
  """
  by_id = {trial.id: trial for trial in trials}
  found = groups([Network(t.id, {}, t.seed, t.spec) for t in trials])
  units = []
  for group in found:
    for part in group.split(at_most) if at_most else [group]:
      own = tuple(by_id[network.arm] for network in part.networks)
      key = hashlib.sha256(" ".join(t.id for t in own).encode())
      folder = workdir / GROUPS / key.hexdigest()[:12]
      units.append(Unit(folder, own))
  return units


def begun_units(
  missing: Mapping[str, Trial], finished: Iterable[str], workdir: Path
) -> list[Unit]:
  """Units of an earlier run that are worth going on with.

  Those that have a checkpoint, or nothing finished yet, and nothing left that
  is not wanted any more.

  Args:
    missing: trials to be run, by id.
    finished: ids of those that need not be.
    workdir: of the sweep.
  """
  done, taken, found = set(finished), set[str](), []
  for path in sorted((workdir / GROUPS).glob("*/unit.json")):
    try:
      ids = results.read_json(path)["trials"]
    except (ValueError, KeyError, OSError):  # torn: as if it were not there
      continue
    left = [i for i in ids if i not in done]
    wanted = left and all(i in missing and i not in taken for i in left)
    saved = any((path.parent / "run" / "checkpoints").glob("[0-9]*"))
    if wanted and (saved or len(left) == len(ids)):
      taken |= set(left)
      found.append(Unit(path.parent, tuple(missing[i] for i in left)))
  return found


def write_unit(unit: Unit, config: Mapping[str, Any]) -> None:
  """Writes what a worker needs; leaves that of an earlier run as it is.

  Args:
    unit: of trials, each an arm with a complete specification.
    config: of the sweep.
  """
  (unit.folder / "status.json").unlink(missing_ok=True)
  path = unit.folder / "unit.json"
  if path.exists():
    return
  arms = {
    trial.id: {**trial.spec, "seed": trial.seed, "seeds": 1}
    for trial in unit.trials
  }
  whole = {**config, "grid": {}, "arms": arms}
  ids = [trial.id for trial in unit.trials]
  results.write_json(path, {"config": whole, "trials": ids})


def read_config(folder: Path) -> dict[str, Any]:
  """The config of a unit, its lists as tuples, as a config file has them."""
  config = results.read_json(folder / "unit.json")["config"]
  return {key: _tuples(value) for key, value in config.items()}


def write_status(folder: Path, status: Status) -> None:
  """Says how a unit ended."""
  results.write_json(folder / "status.json", status._asdict())


def read_status(folder: Path) -> Status | None:
  """How a unit ended; None while it has not."""
  try:
    return Status(**results.read_json(folder / "status.json"))
  except (FileNotFoundError, ValueError):
    return None


def _tuples(value: Any) -> Any:
  if isinstance(value, Mapping):
    return {key: _tuples(item) for key, item in value.items()}
  if isinstance(value, list):
    return tuple(_tuples(item) for item in value)
  return value
