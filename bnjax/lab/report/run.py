"""A run as figures need it: what was measured, and the looks."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from bnjax.lab.report.style import Look, looks
from bnjax.lab.results import Workdir
from bnjax.lab.results.measured import Measured


@dataclasses.dataclass(frozen=True)
class Run:
  """A run, and how its arms are drawn.

  Attributes:
    measured: its records.
    looks: each arm's look.
    sizes: its data sets, and how many training examples each has; 0 where
      that was not recorded.
  """

  measured: Measured
  looks: Mapping[str, Look]
  sizes: Mapping[str, int]

  def arms(self, wanted: Sequence[str]) -> list[str]:
    """The arms of a figure: those it names, or all."""
    return list(wanted or self.measured.arms)

  def probe(self, name: str) -> Mapping[str, Any]:
    """A probe's settings."""
    return (self.measured.config.get("probes") or {}).get(name) or {}


def read_run(run: Workdir) -> Run:
  """Groups the records of a run; raises ValueError as `Measured` does."""
  measured = Measured(run.config, run.rows, run.probes, run.rules)
  sizes = {
    str(data.get("name", "")): int(data.get("train") or 0)
    for data in run.environment.get("datasets") or []
  }
  return Run(measured, looks(measured.arms), sizes)
