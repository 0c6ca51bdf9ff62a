"""Runs a sweep: trains what is missing of its plan, in parts."""

import contextlib
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from bnjax.lab import results, signals
from bnjax.lab.config import resolve_arms
from bnjax.lab.experiment import locks, workdirs
from bnjax.lab.experiment.environment import describe_environment
from bnjax.lab.experiment.plan import Network
from bnjax.lab.launch import gather
from bnjax.lab.launch.board import Board, Line, Stand, failures
from bnjax.lab.launch.gather import Row, Watch
from bnjax.lab.launch.launcher import Launcher
from bnjax.lab.launch.parts import (
  Part,
  Status,
  by_key,
  found_parts,
  is_saved,
  make_parts,
  network_key,
  write_parts,
)
from bnjax.lab.launch.planned import make_networks
from bnjax.lab.writers import check as check_writers, open_writers

_GRACE = 10.0  # seconds after Ctrl-C: more than a launcher takes to stop


class Outcome(NamedTuple):
  """What a sweep left."""

  # of the last step of the networks that are done, in the plan's order
  rows: list[Row]
  # of those that could not be trained: arm, seed, point, error
  failed: list[Row]
  missing: int  # networks that are neither: they can be resumed


def run(
  config: Mapping[str, Any],
  workdir: Path,
  launcher: Launcher,
  *,
  arms: Sequence[str] = (),
  rules: results.Rules | None = None,
  data_dir: str | None = None,
  per_part: int = 0,
  writers: Sequence[str] = (),
  board: Board | None = None,
) -> Outcome:
  """Trains the networks of a plan that `workdir` has no records of.

  Args:
    config: of `bnjax.lab.launch.planned`.
    workdir: gets what `bnjax.lab.experiment.run` leaves, but predictions; and
      `failed.json`. An earlier sweep of the same arms is resumed,
      whatever its points were.
    launcher: trains parts.
    arms: those to train; all if empty.
    rules: how it is judged; their `grid_metric` says which setting is best.
    data_dir: where prepared data sets are.
    per_part: networks in a part at most; 0 for all that share a program.
    writers: names in `bnjax.lab.writers.WRITERS`, told of each part that ends.
    board: where progress is shown.

  Returns:
    The networks' last rows, and what failed.

  Raises:
    UserError: an arm has no valid point, `workdir` holds something else, or
      another process uses it.
    signals.Preempted: it was asked to stop; what is done is kept.
  """
  check_writers(writers)
  networks, wrong = make_networks(config, arms=arms, data_dir=data_dir)
  record = {"config": config, "arms": resolve_arms(config)}
  rules = rules or results.Rules()
  workdirs.check(workdir, record, grows=True)
  with contextlib.ExitStack() as stack:
    check = stack.enter_context(locks.hold(workdir))
    _begin(workdir, record, rules)
    board = stack.enter_context(board or Board(rules.grid_metric))
    name = workdir.resolve().name
    writer = open_writers(writers, workdir, name, networks, notify=board.tell)
    stack.callback(writer.close)
    told = gather.Told(workdir, writer)
    sweep = _Sweep(config, networks, workdir, launcher, board, check, told)
    asked = stack.enter_context(signals.watch(_GRACE))
    try:
      sweep.run(wrong, per_part, asked)
    finally:
      launcher.stop()
      sweep.gather()
    outcome = sweep.outcome()
    if not (outcome.failed or outcome.missing):
      results.write_summary(workdir)
    return outcome


def _begin(
  workdir: Path, record: Mapping[str, Any], rules: results.Rules
) -> None:
  """Writes config, rules and environment."""
  for name in ("summary.json", results.SUMS):
    (workdir / name).unlink(missing_ok=True)
  workdirs.record_rules(workdir, rules)
  results.write_json(workdir / "config.json", record)
  environment = describe_environment()
  with contextlib.suppress(FileNotFoundError):
    old = results.read_json(workdir / "environment.json")
    environment["datasets"] = old.get("datasets") or []
  results.write_json(workdir / "environment.json", environment)


class _Sweep:
  """A running sweep."""

  def __init__(
    self,
    config: Mapping[str, Any],
    networks: Sequence[Network],
    workdir: Path,
    launcher: Launcher,
    board: Board,
    check: Callable[[], None],
    told: gather.Told,
  ):
    self._config, self._workdir = config, workdir
    self._launcher, self._board, self._check = launcher, board, check
    self._told = told
    self._networks = by_key(networks)
    self._done = gather.final_rows(workdir, self._networks)
    self._failed: dict[str, Row] = {}
    self._listed = -1  # how many of these `failed.json` lists
    self._total = len(self._networks)
    self._watched: dict[Path, Watch] = {}
    self._waiting: dict[Path, Part] = {}
    self._next_show = 0.0

  def run(
    self, wrong: Sequence[Row], per_part: int, asked: Callable[[], bool]
  ) -> None:
    """Trains what is missing."""
    self._total += len(wrong)
    self._fail(wrong)
    begun = self._take_up()
    taken = {key for part in begun for key in part.networks} | {*self._done}
    rest = [n for key, n in self._networks.items() if key not in taken]
    fresh = make_parts(rest, self._workdir, at_most=per_part)
    write_parts(fresh, self._config)
    parts = begun + fresh
    for part in parts:
      (part.folder / "status.json").unlink(missing_ok=True)
    self._waiting = {part.folder: part for part in parts}
    self._show()
    self._launcher.start(parts, self._show)
    while self._waiting:
      for part, status in self._launcher.ended(0.25):
        self._end(part, status)
      self._show()
      if asked() and self._waiting:
        raise signals.Preempted(
          f"stopped as asked; the same command goes on{self._launcher.hint()}"
        )
    self._show(last=True)

  def gather(self) -> None:
    """Takes over what parts that have not ended have done."""
    self._check()
    self._list_failed()
    for part in self._waiting.values():
      self._done |= gather.gather(part, self._workdir, self._done, ended=False)
    self._told.tell()

  def outcome(self) -> Outcome:
    """All networks, in the plan's order."""
    rows = [self._done[key] for key in self._networks if key in self._done]
    failed = list(self._failed.values())
    return Outcome(rows, failed, self._total - len(rows) - len(failed))

  def _take_up(self) -> list[Part]:
    """Gathers what an earlier sweep's parts have done; the parts to resume."""
    taken = []
    for part, whole in found_parts(self._networks, self._workdir):
      queued = (part.folder / "job.json").exists()
      self._done |= gather.gather(
        part, self._workdir, self._done, ended=not queued
      )
      left = part.without(self._done)
      unbroken = len(left.networks) == len(part.networks) or is_saved(part)
      if whole and left.networks and (queued or unbroken):
        taken.append(left)
      elif whole and not (left.networks and queued):
        gather.remove(part)
    return taken

  def _end(self, part: Part, status: Status) -> None:
    """Takes over the records of a part that has ended."""
    self._check()
    del self._waiting[part.folder]
    self._watched.pop(part.folder, None)
    self._done |= gather.gather(part, self._workdir, self._done, ended=True)
    self._told.tell()
    if left := part.without(self._done).networks:
      error = status.error or f"{status.state} without its results"
      error = " ".join(error.split())
      self._fail(
        [
          {"arm": n.arm, "seed": n.seed, "point": n.point, "error": error}
          for n in left.values()
        ]
      )
    else:
      gather.remove(part)

  def _fail(self, rows: Sequence[Row]) -> None:
    self._failed |= {network_key(row): row for row in rows}
    for line in failures(rows):
      self._board.tell(f"failed: {line}")

  def _list_failed(self) -> None:
    """Writes which networks failed, if more did since the last time."""
    if self._listed != len(self._failed):
      gather.write_failed(self._workdir, self._failed.values())
      self._listed = len(self._failed)

  def _show(self, *, last: bool = False) -> None:
    """Updates the display, for a tenth of the time at most."""
    begun = time.monotonic()
    if begun < self._next_show and not last:
      return
    self._list_failed()
    running = self._launcher.running()
    lines = []
    done = dict(self._done)
    for part in running:
      watch = self._watched.get(part.folder) or Watch(part)
      self._watched[part.folder] = watch
      watch.look()
      done |= watch.finals
      lines.append(Line([*part.networks.values()], watch.step, part.steps))
    self._board.show(
      Stand(self._total, list(done.values()), len(self._failed), lines)
    )
    self._next_show = begun + 10 * (time.monotonic() - begun)
