"""Damage to what a stopped run left, and going on with it."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.reliability.harms import Harm
from benchmarks.reliability.outcome import Outcome, refused
from bnjax.lab.errors import UserError
from bnjax.lab.experiment import locks, workdirs
from bnjax.lab.experiment.checkpoints import Checkpoint
from bnjax.lab.experiment.journal import Journal
from bnjax.lab.experiment.plan import Network
from bnjax.lab.experiment.recorder import Kept
from bnjax.lab.experiment.runner import Records, State
from bnjax.lab.results import Rules
from bnjax.lab.train.loop import Training
from bnjax.lab.train.state import TrainState

CONFIG = {"steps": 9, "dataset": {"name": "digits"}, "arms": {"a": {}}}
ARMS = {"a": {"steps": 9}}
ENVIRONMENT = {
  "datasets": [{"name": "digits", "label": "digits", "digest": "sha256:1"}]
}
NETWORKS = [Network("a", {}, 0, ARMS["a"])]
FILES = (
  "config.json",
  "rules.json",
  "environment.json",
  "metrics.jsonl",
  "probes.jsonl",
  "checkpoints/1.npz",
  "checkpoints/2.npz",
)


def records(step: int) -> Records:
  """What a step of the run gives: numbers that say which step it was."""
  one: Any = np.full(1, step, np.float32)
  key: Any = np.full((1, 2), step, np.uint32)
  kept = Kept(Training(*[one] * len(Training._fields)), one, one, 1, one)
  train = TrainState({"kernel": one}, {}, {}, key)
  row = {"arm": "a", "seed": 0, "step": step}
  probe = row | {"probe": "p", "layer": "l", "values": 0.5}
  state = State(step, train, kept, {"train": one})
  return Records(step, [row], [probe], None, None, state)


class StoppedRun:
  """A run that had two checkpoints and some records more when it was killed.

  Args:
    folder: gets it.
  """

  def __init__(self, folder: Path):
    self.folder = folder
    with locks.hold(folder) as check:
      journal = Journal(folder, 1.0, check)
      journal.begin(
        {"config": CONFIG, "arms": ARMS}, Rules(), ENVIRONMENT, print
      )
      for step in (1, 2):
        journal.add(NETWORKS, records(step))
        journal.save(NETWORKS, [NETWORKS], records(step))
      journal.add(NETWORKS, records(3))  # which no checkpoint counts on
    self._contents = {name: (folder / name).read_bytes() for name in FILES}

  def restore(self) -> Path:
    """Puts all files back; its work directory."""
    for path in sorted(self.folder.rglob("*"), reverse=True):
      if path.is_dir() and not path.is_symlink():
        path.rmdir()
      else:
        path.unlink()
    (self.folder / "checkpoints").mkdir()
    for name, content in self._contents.items():
      (self.folder / name).write_bytes(content)
    return self.folder

  def attack(self, name: str, harm: Harm) -> Outcome:
    """Does something to one file and goes on."""
    harm(self.restore() / name)
    before = contents(self.folder)
    try:
      _, found, told = begin(self.folder)
    except UserError as error:
      if contents(self.folder) != before:
        return Outcome("wrong", f"refused, and changed files: {error}")
      return refused(str(error))
    except Exception as error:
      return Outcome("wrong", repr(error))
    if any("\n" in line for line in told):
      return Outcome("wrong", f"not a line: {told}")
    why = _is_wrong(self.folder, found)
    return Outcome("wrong", why) if why else Outcome("survived", *told[:1])


def begin(
  folder: Path,
  environment: Mapping[str, Any] = ENVIRONMENT,
  arms: Mapping[str, Any] = ARMS,
) -> tuple[Journal, Checkpoint | None, list[str]]:
  """Goes on: the journal, the checkpoint, and what is told meanwhile."""
  told: list[str] = []
  record = {"config": CONFIG, "arms": arms}
  workdirs.check(folder, record)
  with locks.hold(folder) as check:
    journal = Journal(folder, 1.0, check)
    found = journal.begin(record, Rules(), environment, told.append)
    return journal, found, told


def contents(folder: Path) -> dict[Path, Any]:
  """Every file's content; of what is no file, what it is."""
  found: dict[Path, Any] = {}
  for path in folder.rglob("*"):
    regular = path.is_file() and not path.is_symlink()
    found[path] = path.read_bytes() if regular else path.lstat().st_mode
  found.pop(folder / "checkpoints", None)  # its time of change is no matter
  return found


def _is_wrong(folder: Path, found: Checkpoint | None) -> str:
  """Whether state and records are not those of one step; "" if they are."""
  if found is None:
    step, started = 0, (folder / "config.json").exists()
    if not started or os.listdir(folder / "checkpoints"):
      return "it started afresh, though a checkpoint was whole"
  else:
    step = int(found.state["part"]["step"])
    kernel = found.state["part"]["train"]["params"]["kernel"]
    if not np.array_equal(kernel, records(step).state.train.params["kernel"]):
      return f"the weights are not those of step {step}"
  for name in ("metrics.jsonl", "probes.jsonl"):
    lines = (folder / name).read_text().splitlines() if step else []
    steps = [json.loads(line)["step"] for line in lines]
    if steps != list(range(1, step + 1)):
      return f"{name} has steps {steps}, the checkpoint is of {step}"
  return ""
