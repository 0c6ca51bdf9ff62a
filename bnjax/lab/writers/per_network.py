"""A writer that keeps a run for every network, opened with its first row."""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from bnjax.lab.writers.numbers import (
  flatten,
  hyperparameters,
  name_of,
  prediction_table,
  probe_numbers,
  scalars,
)
from bnjax.lab.writers.writer import About, Network, Row, Run


class PerNetwork:
  """Gives each network's rows to a run of its own."""

  def __init__(
    self,
    open_run: Callable[[About], Run],
    experiment: str,
    networks: Sequence[Network],
    *,
    tables: bool = False,
  ):
    self._open_run = open_run
    self._tables = tables
    self._experiment = experiment
    fields = hyperparameters(networks)
    self._networks = {
      _key(network.arm, network.seed, network.point): (network, own)
      for network, own in zip(networks, fields, strict=True)
    }
    self._runs: dict[str, Run] = {}

  def rows(self, rows: Sequence[Row]) -> None:
    """See `Writer.rows`."""
    for row in rows:
      self._run(row).write(row["step"], scalars(row), {})

  def probe_rows(self, rows: Sequence[Row]) -> None:
    """See `Writer.probe_rows`."""
    steps: dict[tuple[str, int], Any] = {}
    for row in rows:
      key = _key(row["arm"], row["seed"], row.get("point", {})), row["step"]
      _, few, many = steps.setdefault(key, (row, {}, {}))
      more_few, more_many = probe_numbers(row)
      few |= more_few
      many |= more_many
    for row, few, many in steps.values():
      self._run(row).write(row["step"], few, many)

  def predictions(self, rows: Sequence[Row]) -> None:
    """See `Writer.predictions`: a run of its own shows them, if one can."""
    if rows and self._tables:
      about = About(self._experiment, "predictions", "predictions", {}, {}, 0)
      run: Any = self._open_run(about)
      run.table("predictions", prediction_table(rows))
      run.close()

  def close(self) -> None:
    """Closes every run."""
    for run in self._runs.values():
      run.close()

  def _run(self, row: Row) -> Run:
    point: Mapping[str, Any] = row.get("point", {})
    key = _key(row["arm"], row["seed"], point)
    if key not in self._runs:
      network, table = self._networks[key]
      about = About(
        experiment=self._experiment,
        arm=network.arm,
        name=name_of(network.arm, network.seed, network.point),
        hyperparameters=table,
        spec=flatten({**network.spec, "arm": network.arm, "seed": row["seed"]}),
        first_step=row["step"],
      )
      self._runs[key] = self._open_run(about)
    return self._runs[key]


def _key(arm: str, seed: int, point: Mapping[str, Any]) -> str:
  return json.dumps([arm, seed, dict(point)], sort_keys=True)
