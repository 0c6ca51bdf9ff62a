"""Attacks on processes that train together."""

import json
import math
import signal
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.reliability.outcome import Outcome
from benchmarks.reliability.runs import Child, Runs

_SOON = 60.0  # seconds within which a process leaves that another is lost to
# Roundings grow in float32, and dropout draws other masks.
_SAME = ("--config.precision=float64", "--config.model.dropout_rate=0")
_LONG = ("--config.steps=100000", *_SAME)


def _start(
  runs: Runs, workdir: Path, indices: Sequence[int], *more: Sequence[str]
) -> list[Child]:
  """Starts processes of two; `more` are arguments of each."""
  with socket.socket() as free:
    free.bind(("127.0.0.1", 0))
    port = free.getsockname()[1]
  join = [f"--coordinator_address=127.0.0.1:{port}", "--num_processes=2"]
  return [
    runs.train(workdir, None, *join, f"--process_id={index}", *own)
    for index, own in zip(indices, more, strict=True)
  ]


def missing(runs: Runs, index: int) -> Outcome:
  """Starts one of two processes alone."""
  (child,) = _start(runs, runs.place(), [index], _SAME)
  return _left(child, f"error: process {1 - index} of 2 did not come")


def interrupted(runs: Runs) -> Outcome:
  """Ctrl-C while a process waits for the other one."""
  (child,) = _start(runs, runs.place(), [0], _SAME)
  child.wait_for(lambda: "waiting for" in child.said())
  child.signal(signal.SIGINT)
  return _left(child, "interrupted; ", status=130)


def unlike(runs: Runs) -> Outcome:
  """Starts two processes with different configs."""
  other = [*_SAME, "--config.optimizer.learning_rate=0.5"]
  children = _start(runs, runs.place(), [0, 1], _SAME, other)
  line = "error: process 1 would train something else than process 0"
  return _worst([_left(child, line) for child in children])


def killed(runs: Runs, index: int) -> Outcome:
  """Kills one of two processes that train."""
  workdir = runs.place()
  children = _start(runs, workdir, [0, 1], _LONG, _LONG)
  children[0].wait_for(lambda: any((workdir / "checkpoints").glob("3.npz")))
  children[index].signal(signal.SIGKILL)
  children[index].end()
  return _left(children[1 - index], f"error: process {index} of 2 is gone")


def stopped(runs: Runs) -> Outcome:
  """Asks one of two to stop; one process alone goes on, to the same end."""
  alone, workdir = runs.place(), runs.place()
  runs.train(alone, None, *_SAME).end()
  children = _start(runs, workdir, [0, 1], _SAME, _SAME)
  children[0].wait_for(lambda: any((workdir / "checkpoints").glob("3.npz")))
  children[1].signal(signal.SIGTERM)
  statuses = {child.end().status for child in children}
  ended = runs.train(workdir, None, *_SAME).end()
  if statuses not in ({75}, {0}) or ended.status:
    return Outcome("wrong", f"statuses {statuses}; {ended.said}")
  ours, theirs = _losses(workdir), _losses(alone)
  same = len(ours) == len(theirs) and all(
    math.isclose(a, b, rel_tol=1e-9) for a, b in zip(ours, theirs, strict=True)
  )
  return Outcome("survived") if same else Outcome("wrong", f"{workdir} differs")


def _losses(workdir: Path) -> list[Any]:
  lines = (workdir / "metrics.jsonl").read_text().splitlines()
  return [json.loads(line)["test_loss"] for line in lines]


def _left(child: Child, line: str, status: int = 1) -> Outcome:
  """Whether a process left with a line, and said nothing before but waiting."""
  ended = child.end()
  *before, last = ended.said.splitlines() or [""]
  waited = all(line.startswith("waiting for ") for line in before)
  if (ended.status, waited) != (status, True) or not last.startswith(line):
    return Outcome("wrong", f"status {ended.status}: {ended.said}")
  if ended.seconds > _SOON and "did not come" not in last:
    return Outcome("wrong", f"it took {ended.seconds:.0f} s: {last}")
  return Outcome("refused", last)


def _worst(outcomes: Sequence[Outcome]) -> Outcome:
  """The one that is wrong, if there is one."""
  return next((o for o in outcomes if o.verdict == "wrong"), outcomes[0])
