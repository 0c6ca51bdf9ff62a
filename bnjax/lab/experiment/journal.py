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
from bnjax.lab.results.records import sha256, sync
from bnjax.lab.train.state import to_arrays

# Files that grow: a checkpoint knows how long they were, and their digests.
_GROWING = ("metrics.jsonl", "probes.jsonl")


class Journal:
  """The records of a run in its work directory, which it alone writes.

  Args:
    workdir: the work directory.
    every: seconds between checkpoints; 0: none.
    check: raises UserError where the directory is not this run's any more.
  """

  def __init__(self, workdir: Path, every: float, check: Callable[[], None]):
    self._workdir = workdir
    self._every = every
    self._check = check
    self._checkpoints = Checkpoints(workdir / "checkpoints")
    self._saved = time.monotonic()
    self._predictions = Predictions()
    self._of = ""  # digest of what is trained, on which data

  def begin(
    self,
    record: Mapping[str, Any],
    rules: results.Rules,
    environment: Mapping[str, Any],
    notify: Callable[[str], None],
  ) -> Checkpoint | None:
    """Takes up an unfinished run, or removes an earlier one's records.

    `record` is for config.json.

    Returns:
      The checkpoint to go on from; None: from the beginning. What was recorded
      after it has been removed, since it comes again.

    Raises:
      UserError: the directory cannot be written to, the records are not those
        of any checkpoint, or config or data not those that the run began with.
    """
    self._of = workdirs.digest(record, environment)
    found = None
    if self._every and not (self._workdir / "summary.json").exists():
      with self._writing():
        found = self._checkpoints.restore(notify, self._fits)
    with self._writing():
      if found is None:
        self._checkpoints.remove()
        workdirs.start(self._workdir, record, rules, environment)
        return None
      # As an earlier version wrote it, perhaps, which stays.
      there = results.read_json(self._workdir / "config.json")
      known = (self._of, workdirs.digest(there, environment))
      same = found.position.get("of") in known
      workdirs.resume(self._workdir, rules, environment, same)
      self._of = found.position["of"]
      for name in _GROWING:
        path = self._workdir / name
        if os.path.lexists(path):
          os.truncate(path, found.position["records"].get(name, [0])[0])
    self._predictions = Predictions(found.state["predictions"])
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

  def save(
    self,
    training: Sequence[Network],
    parts: Sequence[Sequence[Network]],
    records: Records,
  ) -> None:
    """Writes a checkpoint, if the run has any.

    Raises:
      UserError: it cannot be written; the one before it can still be read.
    """
    if not self._every:
      return
    counted = {}
    with self._writing():
      for name in _GROWING:
        path = self._workdir / name
        if path.exists():
          sync(path)  # before the checkpoint that counts on it
          counted[name] = [path.stat().st_size, sha256(path)]
    position = {
      "of": self._of,
      "training": params.names(training),
      "parts": [params.names(networks) for networks in parts],
      "records": counted,
    }
    state = {
      "part": to_arrays(records.state),
      "predictions": self._predictions.state,
    }
    self._checkpoints.save(Checkpoint(state, position))
    self._saved = time.monotonic()

  def finish(
    self, labels: np.ndarray, images: np.ndarray | None
  ) -> dict[str, Any]:
    """Writes what comes last and removes the checkpoints; the summary.

    Labels and, if they are in memory, images are those of the test set.
    """
    with self._writing():
      if self._predictions.state:
        path = self._workdir / "predictions.jsonl"
        path.unlink(missing_ok=True)  # of a run stopped in the middle of it
        self._predictions.write(path, labels, images)
      for name in (*_GROWING, "predictions.jsonl"):
        if (self._workdir / name).exists():
          sync(self._workdir / name)
      summary = results.write_summary(self._workdir)
    with contextlib.suppress(OSError):  # the run is done all the same
      self._checkpoints.remove()
    return summary

  def _fits(self, found: Checkpoint) -> bool:
    """Whether the records that a checkpoint counts on are there."""
    for name, (size, digest) in found.position["records"].items():
      path = self._workdir / name
      if not os.path.lexists(path) or sha256(path, size) != digest:
        return False
    return True

  @contextlib.contextmanager
  def _writing(self) -> Iterator[None]:
    self._check()
    try:
      yield
    except OSError as error:
      raise UserError(
        f"--workdir: cannot write to {self._workdir}: {error.strerror}; put "
        "that right, and the same command goes on from the last checkpoint"
      ) from error
    except UserError:
      raise
    except ValueError as error:  # of records that were damaged meanwhile
      raise UserError(f"--workdir: {self._workdir}: {error}") from error
