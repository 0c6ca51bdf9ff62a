"""What a writer is, and what it is told about a run.

The records of a work directory are the source of truth. A writer shows the
same numbers in another program, while they come in: nothing is read back from
it, and none that fails stops the training.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from bnjax.lab import results

Row = Mapping[str, Any]


class Network(Protocol):
  """What of a `bnjax.lab.experiment.plan.Network` a writer reads."""

  @property
  def arm(self) -> str:
    """The name of its arm."""

  @property
  def point(self) -> Mapping[str, Any]:
    """Its values on the grid, by dotted field."""

  @property
  def seed(self) -> int:
    """Its seed."""

  @property
  def spec(self) -> Mapping[str, Any]:
    """Its complete specification."""


class Writer(Protocol):
  """Takes in what a run records."""

  def rows(self, rows: Sequence[Row]) -> None:
    """Rows of metrics.jsonl, as soon as they are recorded.

    A run that goes on from a checkpoint may tell a step again: what is told
    later counts.
    """

  def probe_rows(self, rows: Sequence[Row]) -> None:
    """Rows of probes.jsonl, likewise."""

  def predictions(self, rows: Sequence[Row]) -> None:
    """Rows of predictions.jsonl, at the end of a run that leaves them."""

  def close(self) -> None:
    """All is told; called once."""


class Histogram(NamedTuple):
  """Numbers per bin.

  Attributes:
    counts: `[bins]`.
    edges: `[bins + 1]`, increasing.
  """

  counts: Sequence[float]
  edges: Sequence[float]


class About(NamedTuple):
  """What a run of one network is told before its first numbers.

  Attributes:
    experiment: the experiment's name.
    arm: the network's arm.
    name: its name, unique in the experiment; parts separated by "/".
    hyperparameters: what of its specification differs between the networks.
    spec: all of its specification, by dotted field.
    first_step: the step of its first row; above 0, it goes on from before.
  """

  experiment: str
  arm: str
  name: str
  hyperparameters: Mapping[str, bool | int | float | str]
  spec: Mapping[str, bool | int | float | str]
  first_step: int


class Table(NamedTuple):
  """Cells by columns, which are named."""

  columns: tuple[str, ...]
  rows: list[tuple[int | float, ...]]


class Run(Protocol):
  """Where the numbers of one network go.

  Runs that can show a table have a method `table(name, table)` besides.
  """

  def write(
    self,
    step: int,
    scalars: Mapping[str, float],
    histograms: Mapping[str, Histogram],
  ) -> None:
    """Takes in what there is of a step; a step may come in several parts."""

  def close(self) -> None:
    """All is told; called once."""


def run_id(path: Path, about: About, make: Callable[[str | None], str]) -> str:
  """The id of a network's run, which is kept for when it goes on.

  Args:
    path: of the file, JSON of a run's id by the network's name.
    about: the network. If its first step is 0, its run is a new one.
    make: from the id that is kept, None if there is none or it is of an earlier
      run, to the one that is used.
  """
  known = results.read_json(path) if os.path.lexists(path) else {}
  kept = known.get(about.name) if about.first_step else None
  used = make(kept)
  if used != kept:
    results.write_json(path, known | {about.name: used})
  return used
