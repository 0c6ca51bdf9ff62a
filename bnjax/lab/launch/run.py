"""Runs a sweep: what is missing of its trials, and what all of them say."""

import contextlib
import math
import signal
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import FrameType
from typing import Any, NamedTuple, Protocol

from bnjax.lab import results
from bnjax.lab.config import resolve_arms
from bnjax.lab.experiment import locks, workdirs
from bnjax.lab.experiment.environment import describe_environment
from bnjax.lab.launch import outcome, rows as rows_of
from bnjax.lab.launch.board import Board, Line, Stand
from bnjax.lab.launch.local import Ended
from bnjax.lab.launch.rows import Row, Tail
from bnjax.lab.launch.trials import Trial
from bnjax.lab.launch.units import (
  Unit,
  begun_units,
  make_units,
  write_unit,
)


class Launcher(Protocol):
  """What trains units: `launch.local.Local`, `launch.slurm.Slurm`."""

  def start(self, units: Sequence[Unit]) -> None:
    """Takes units on."""

  def ended(self, seconds: float) -> Iterator[Ended]:
    """Waits for about that long; yields the units that ended."""

  def running(self) -> list[Unit]:
    """The units that are being trained, or queued."""

  def stop(self) -> None:
    """Ends what is to be ended when the sweep is over or interrupted."""

  def says(self) -> str:
    """What to tell who interrupts, after "goes on"."""


class Outcome(NamedTuple):
  """What a sweep left.

  Attributes:
    rows: of the trials that finished, in the sweep's order.
    failed: rows of those that did not, with their errors.
    missing: trials without a row: they can be gone on with.
  """

  rows: list[Row]
  failed: list[Row]
  missing: int


def run(
  config: Mapping[str, Any],
  trials: Sequence[Trial],
  workdir: Path,
  launcher: Launcher,
  *,
  rules: results.Rules | None = None,
  per_unit: int = 0,
  board: Board | None = None,
) -> Outcome:
  """Trains the trials that `workdir` has no row of.

  Args:
    config: the sweep's base config.
    trials: of `bnjax.lab.launch.trials.make_trials`.
    workdir: gets config.json, rules.json, environment.json, trials.jsonl, and
      a folder for each unit. An earlier run of the same config is gone on
      with, whatever its trials are.
    launcher: trains units.
    rules: their `grid_metric` says which trial is best.
    per_unit: trials in a unit at most; 0 for all that share a program.
    board: where progress is shown.

  Returns:
    The trials' rows.

  Raises:
    UserError: `workdir` holds something else, or another process uses it.
    KeyboardInterrupt: it was interrupted; what is done is kept.
  """
  arms = resolve_arms(config)
  workdirs.check(workdir, config, arms)
  with contextlib.ExitStack() as stack:
    stack.enter_context(locks.hold(workdir))
    rules = rules or results.Rules()
    results.write_json(
      workdir / "config.json", {"config": config, "arms": arms}
    )
    workdirs.record_rules(workdir, rules)
    results.write_json(workdir / "environment.json", describe_environment())
    board = stack.enter_context(board or Board())
    sweep = _Sweep(config, rules, trials, workdir, launcher, board)
    stack.enter_context(_terminated())
    try:
      sweep.run(per_unit)
    finally:
      launcher.stop()
      sweep.collect()
    return sweep.outcome()


class _Sweep:
  """A sweep under way."""

  def __init__(
    self,
    config: Mapping[str, Any],
    rules: results.Rules,
    trials: Sequence[Trial],
    workdir: Path,
    launcher: Launcher,
    board: Board,
  ):
    self.config, self.workdir = config, workdir
    self.launcher, self.board = launcher, board
    self.trials = {trial.id: trial for trial in trials}
    self.metric = rules.grid_metric
    self.rows = {
      key: row
      for key, row in rows_of.read_trials(workdir).items()
      if key in self.trials and "error" not in row
    }
    self.tails: dict[Path, Tail] = {}
    self._add(rows_of.left_behind(self.trials, self.rows, workdir))

  def run(self, per_unit: int) -> None:
    """Trains what is missing."""
    invalid = [trial for trial in self.trials.values() if trial.error]
    self._add([rows_of.failed(trial, trial.error) for trial in invalid])
    for error in dict.fromkeys(trial.error for trial in invalid):
      own = [trial for trial in invalid if trial.error == error]
      self._complain(own[0], error, len(own) - 1)
    missing = {k: t for k, t in self.trials.items() if k not in self.rows}
    units = begun_units(missing, self.rows, self.workdir)
    begun = {trial.id for unit in units for trial in unit.trials}
    rest = [trial for key, trial in missing.items() if key not in begun]
    units += make_units(rest, self.workdir, at_most=per_unit)
    for unit in units:
      write_unit(unit, self.config)
      self.tails[unit.folder] = Tail(unit)
    self.board.show(self._stand())
    self.launcher.start(units)
    waiting = {unit.folder: unit for unit in units}
    while waiting:
      for unit, status in self.launcher.ended(0.25):
        self.collect()
        del waiting[unit.folder]
        left = [t for t in unit.trials if t.id not in self.rows]
        if left:
          error = status.error or f"{status.state} without its results"
          self._add([rows_of.failed(trial, error) for trial in left])
          self._complain(left[0], error, len(left) - 1)
      self.collect()
      self.board.show(self._stand())

  def collect(self) -> None:
    """Writes the rows of trials that have finished."""
    for tail in self.tails.values():
      self._add(list(tail.finished()))

  def outcome(self) -> Outcome:
    """All rows, in the sweep's order."""
    found = [self.rows[key] for key in self.trials if key in self.rows]
    done = [row for row in found if "error" not in row]
    failed = [row for row in found if "error" in row]
    return Outcome(done, failed, len(self.trials) - len(found))

  def _add(self, new: Sequence[Row]) -> None:
    fresh = []
    for row in new:
      known = self.rows.get(row["trial"])
      if known is None or "error" in known:
        self.rows[row["trial"]] = row
        fresh.append(row)
    if fresh:
      results.append_rows(self.workdir / rows_of.NAME, fresh)

  def _complain(self, trial: Trial, error: str, others: int = 0) -> None:
    more = f" and {others} more" if others else ""
    self.board.tell(f"failed: {describe(trial)}{more}: {error}")

  def _stand(self) -> Stand:
    outcome = self.outcome()
    return Stand(
      len(self.trials),
      len(outcome.rows),
      len(outcome.failed),
      self._best(outcome.rows),
      [
        Line(common(unit), len(unit.trials), self._step(unit), unit.steps)
        for unit in self.launcher.running()
      ],
    )

  def _step(self, unit: Unit) -> int:
    return self.tails[unit.folder].step if unit.folder in self.tails else 0

  def _best(self, rows: Sequence[Row]) -> str:
    sign = -1 if outcome.is_loss(self.metric) else 1
    own = [row for row in rows if row.get(self.metric) is not None]
    own = [row for row in own if math.isfinite(row[self.metric])]
    if not own:
      return ""
    best = max(own, key=lambda row: sign * row[self.metric])
    where = describe(self.trials[best["trial"]])
    return f"{self.metric} {best[self.metric]:.4g} ({where})"


def describe(trial: Trial) -> str:
  """A trial in a few words."""
  point = {**trial.point, "seed": trial.seed}
  fields = [f"{k.rpartition('.')[2]} {v}" for k, v in point.items()]
  return f"{trial.arm}, {', '.join(fields)}"


def common(unit: Unit) -> str:
  """What a unit's trials have in common, in a few words."""
  arms = list(dict.fromkeys(trial.arm for trial in unit.trials))
  points = [trial.point for trial in unit.trials]
  shared = [
    f"{field.rpartition('.')[2]} {value}"
    for field, value in points[0].items()
    if all(point.get(field) == value for point in points)
  ]
  name = arms[0] if len(arms) == 1 else f"{arms[0]}, ..."
  return ", ".join([name, *shared])


@contextlib.contextmanager
def _terminated() -> Iterator[None]:
  """SIGTERM ends a sweep as Ctrl-C does."""

  def interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt

  before = signal.signal(signal.SIGTERM, interrupt)
  try:
    yield
  finally:
    signal.signal(signal.SIGTERM, before)
