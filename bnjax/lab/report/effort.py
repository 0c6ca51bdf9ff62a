"""What experiments take: networks, steps, time, on which machine."""

from collections.abc import Sequence
from typing import Any

from bnjax.lab.report.page.experiment import Experiment
from bnjax.lab.report.render import NONE, Table
from bnjax.lab.report.wording import span
from bnjax.lab.results.rows import Table as Rows

_NOTE = (
  "time: of compilation, training, evaluation and probes, by the clock of the "
  "machine, whatever else it did then; without start, reading data, drawing"
)


def effort_table(found: Sequence[Experiment]) -> Table:
  """A row for each experiment, and one for all of them."""
  rows, networks, seconds = [], 0, 0.0
  for one in found:
    steps = _steps(one)
    took = one.summary.get("seconds")
    networks += len(steps)
    seconds += took or 0.0
    rows.append(
      {
        "experiment": one.title,
        "networks": f"{len(steps):,}",
        "steps of each": span(steps),
        "time": NONE if took is None else duration(took),
        "on": f"{machine(one)}, {day(one)}".rstrip(", "),
      }
    )
  rows.append(
    {
      "experiment": "all",
      "networks": f"{networks:,}",
      "time": duration(seconds),
    }
  )
  return Table.of("What they take", rows, [_NOTE])


def _steps(one: Experiment) -> list[int]:
  """The last step of each network."""
  frame = Rows.of_metrics(one.records.rows).frame
  networks = frame.groupby(
    ["arm", "seed", "point"], observed=True, dropna=False
  )
  return [int(step) for step in networks["step"].max()]


def machine(one: Experiment) -> str:
  """What it ran on, in a few words."""
  environment = one.records.environment
  parts = [f"{environment.get('cpus')} CPU cores"]
  if environment.get("backend") not in (None, "cpu"):
    parts.insert(0, ", ".join(map(str, environment.get("devices") or [])))
  return ", ".join(parts)


def day(one: Experiment) -> str:
  """The day it began; empty where that is not known."""
  return str(one.records.environment.get("started", ""))[:10]


def source(one: Experiment) -> str:
  """The code it ran with: the commit, and whether files differed from it."""
  environment: dict[str, Any] = one.records.environment
  if not (commit := environment.get("commit")):
    return ""
  return f"bnjax at {commit}" + ", changed" * bool(environment.get("dirty"))


def duration(seconds: float) -> str:
  """A time in the largest units that it fills twice.

  >>> duration(90.0), duration(600.0), duration(8000.0)
  ('90 s', '10 min', '2 h 13 min')
  """
  if seconds < 120:
    return f"{seconds:.0f} s"
  minutes = round(seconds / 60)
  if minutes < 120:
    return f"{minutes} min"
  return f"{minutes // 60} h {minutes % 60} min"
