"""trials.jsonl: one row a trial, as it finishes.

    {"trial": ID, "arm": ..., "seed": ..., "point": {...}, "step": ...,
     and the metrics of its last evaluation}
    {"trial": ID, "arm": ..., "seed": ..., "point": {...}, "error": "..."}

Only the process that `scripts/sweep.py` started writes it. The last row of a
trial counts.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from bnjax.lab import results
from bnjax.lab.errors import UserError
from bnjax.lab.launch.trials import Trial
from bnjax.lab.launch.units import GROUPS, Unit

NAME = "trials.jsonl"
Row = dict[str, Any]


def read_trials(workdir: Path) -> dict[str, Row]:
  """The row of each trial of an earlier run, finished or failed.

  Raises:
    UserError: the file is damaged.
  """
  try:
    rows = results.read_rows(workdir / NAME).rows
    return {row["trial"]: row for row in rows}
  except FileNotFoundError:
    return {}
  except (ValueError, KeyError) as error:
    raise UserError(f"--workdir: {workdir / NAME}: {error}; mend it") from None


def identity(trial: Trial) -> Row:
  """What a row begins with."""
  return {
    "trial": trial.id,
    "arm": trial.arm,
    "seed": trial.seed,
    "point": trial.point,
  }


def failed(trial: Trial, error: str) -> Row:
  """The row of a trial that could not be trained."""
  return identity(trial) | {"error": " ".join(error.split())}


class Tail:
  """Reads what a unit's experiment records, while it does."""

  def __init__(self, unit: Unit):
    self.unit = unit
    self.step = 0  # the last one that was recorded
    self._trials = {trial.id: trial for trial in unit.trials}
    self._offset = 0

  def finished(self) -> Iterator[Row]:
    """The rows of the trials that have finished since the last call."""
    for row in self._new():
      trial = self._trials.get(row.get("arm", ""))
      if trial is None:
        continue
      self.step = int(row["step"])
      if self.step == trial.spec["steps"]:
        metrics = {k: v for k, v in row.items() if k not in ("arm", "seed")}
        yield identity(trial) | metrics

  def _new(self) -> Iterator[Row]:
    path = self.unit.run / "metrics.jsonl"
    try:
      if path.stat().st_size < self._offset:  # begun anew
        self._offset = 0
      with path.open("rb") as file:
        file.seek(self._offset)
        content = file.read()
    except FileNotFoundError:
      return
    whole = content[: content.rfind(b"\n") + 1]
    self._offset += len(whole)
    for line in whole.splitlines():
      yield json.loads(line)


def left_behind(
  trials: Mapping[str, Trial], known: Mapping[str, Row], workdir: Path
) -> list[Row]:
  """Rows of trials that finished while nobody was there to collect them."""
  found = []
  for path in sorted((workdir / GROUPS).glob("*/unit.json")):
    try:
      ids: Sequence[str] = results.read_json(path)["trials"]
    except (ValueError, KeyError, OSError):
      continue
    own = tuple(
      trials[i]
      for i in ids
      if i in trials and "error" in known.get(i, {"error": ""})
    )
    if own:
      found += list(Tail(Unit(path.parent, own)).finished())
  return found
