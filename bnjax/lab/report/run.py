"""A run as figures need it: what was measured, the looks, what is published."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from bnjax.lab.report.style import Look, looks
from bnjax.lab.results.measured import Measured
from bnjax.lab.results.published import PublishedCurve, PublishedNumber
from bnjax.lab.results.rules import Rules


@dataclasses.dataclass(frozen=True)
class Run:
  """A run, and how its arms are drawn.

  Attributes:
    measured: its records.
    looks: each arm's look.
    sizes: its data sets, and how many training examples each has; 0 where
      that was not recorded.
    numbers: what is published of it.
    lines: likewise, over steps.
  """

  measured: Measured
  looks: Mapping[str, Look]
  sizes: Mapping[str, int]
  numbers: tuple[PublishedNumber, ...]
  lines: tuple[PublishedCurve, ...]

  def arms(self, wanted: Sequence[str]) -> list[str]:
    """The arms of a figure: those it names, or all."""
    return list(wanted or self.measured.arms)

  def probe(self, name: str) -> Mapping[str, Any]:
    """A probe's settings."""
    return (self.measured.config.get("probes") or {}).get(name) or {}


def read_run(
  config: Mapping[str, Any],
  environment: Mapping[str, Any],
  rows: Sequence[Mapping[str, Any]],
  probes: Sequence[Mapping[str, Any]],
  rules: Rules,
) -> Run:
  """Groups the records of a run; raises ValueError as `Measured` does."""
  measured = Measured(config, rows, probes, rules)
  sizes = {
    str(data.get("name", "")): int(data.get("train") or 0)
    for data in environment.get("datasets") or []
  }
  arms = looks(measured.arms)
  return Run(measured, arms, sizes, rules.numbers, rules.curves)
