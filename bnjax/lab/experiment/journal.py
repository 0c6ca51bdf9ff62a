"""What a run writes while it goes on, and how a stopped one goes on from it."""

import contextlib
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bnjax.lab import results
from bnjax.lab.errors import UserError
from bnjax.lab.experiment import params, workdirs
from bnjax.lab.experiment.checkpoints import Checkpoint, Checkpoints
from bnjax.lab.experiment.plan import Network
from bnjax.lab.experiment.predictions import Predictions
from bnjax.lab.experiment.runner import Records

# Files that grow: a checkpoint knows how long they were.
_GROWING = ("metrics.jsonl", "probes.jsonl")


class Journal:
  """The records of a run in its work directory, which it alone writes.

  Args:
    workdir: the work directory.
    every: seconds between checkpoints; 0: none.
  """

  def __init__(self, workdir: Path, every: float):
    self._workdir = workdir
    self._every = every
    self._checkpoints = Checkpoints(workdir / "checkpoints")
    self._saved = time.monotonic()
    self._predictions = Predictions()

  def begin(
    self,
    config: Mapping[str, Any],
    arms: Mapping[str, Any],
    rules: results.Rules,
    environment: Mapping[str, Any],
    notify: Callable[[str], None],
  ) -> Checkpoint | None:
    """Takes up an unfinished run, or removes an earlier one's records.

    Args:
      config: of the run.
      arms: the complete specification of each arm.
      rules: how it is to be judged.
      environment: for environment.json.
      notify: is told, in a line, where the run goes on, and what was damaged.

    Returns:
      The checkpoint to go on from; None: from the beginning. What was recorded
      after it has been removed, since it comes again.

    Raises:
      UserError: the directory cannot be written to, or the records are not
        those of the checkpoint.
    """
    found = None
    if self._every and not (self._workdir / "summary.json").exists():
      found = self._checkpoints.restore(notify)
    if found is None:
      workdirs.start(self._workdir, config, arms, rules, environment)
      return None
    for name in _GROWING:
      self._cut(self._workdir / name, found.position["sizes"].get(name, 0))
    with self._writing():
      workdirs.resume(self._workdir, rules, environment)
    self._predictions = Predictions.from_arrays(found.arrays)
    part, step = found.position["part"] + 1, found.position["step"]
    notify(f"going on from step {step} of part {part}")
    return found

  def add(self, networks: Sequence[Network], records: Records) -> None:
    """Writes the records of some networks.

    Raises:
      UserError: the directory can no longer be written to.
    """
    with self._writing():
      if records.rows:
        results.append_rows(self._workdir / "metrics.jsonl", records.rows)
      if records.probe_rows:
        results.append_rows(self._workdir / "probes.jsonl", records.probe_rows)
      if records.variables is not None:
        params.save(self._workdir, networks, records.variables)
    if records.probabilities is not None:
      self._predictions.add(networks, records.probabilities)

  def due(self) -> bool:
    """Whether it is time for a checkpoint."""
    waited = time.monotonic() - self._saved
    return bool(self._every) and waited >= self._every

  def save(self, part: int, parts: Sequence[int], records: Records) -> None:
    """Writes a checkpoint, if the run has any.

    Args:
      part: number of the part of the run that is in training.
      parts: how many networks each part has.
      records: the last that it gave.

    Raises:
      UserError: it cannot be written; the one before it can still be read.
    """
    if not self._every:
      return
    sizes = {
      name: (self._workdir / name).stat().st_size
      for name in _GROWING
      if (self._workdir / name).exists()
    }
    position = {
      "part": part,
      "parts": list(parts),
      "step": records.step,
      "sizes": sizes,
    }
    arrays = records.snapshot() | self._predictions.to_arrays()
    self._checkpoints.save(Checkpoint(arrays, position))
    self._saved = time.monotonic()

  def finish(
    self, labels: np.ndarray, images: np.ndarray | None
  ) -> dict[str, Any]:
    """Writes what comes last, and removes the checkpoints.

    Args:
      labels: of the test set.
      images: of the test set, if they are in memory.

    Returns:
      The summary.
    """
    with self._writing():
      if self._predictions:
        path = self._workdir / "predictions.jsonl"
        path.unlink(missing_ok=True)  # of a run stopped in the middle of it
        self._predictions.write(path, labels, images)
      summary = results.write_summary(self._workdir)
    self._checkpoints.remove()
    return summary

  def _cut(self, path: Path, size: int) -> None:
    there = path.stat().st_size if path.exists() else 0
    if there < size:
      raise UserError(
        f"--workdir: {path} is shorter than the last checkpoint says; remove "
        f"{self._workdir} to start afresh"
      )
    if there > size:
      os.truncate(path, size)

  @contextlib.contextmanager
  def _writing(self) -> Iterator[None]:
    try:
      yield
    except OSError as error:
      raise UserError(
        f"--workdir: cannot write to {self._workdir}: {error.strerror}; put "
        "that right, and the same command goes on from the last checkpoint"
      ) from error
