"""How a sweep is going: a live table on a terminal, else plain lines."""

import math
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table as Lines
from rich.text import Text

from bnjax.lab.errors import plain
from bnjax.lab.experiment.plan import Network, point_key
from bnjax.lab.report import Table
from bnjax.lab.report.render import to_rich
from bnjax.lab.results.intervals import estimate
from bnjax.lab.results.points import short_names

_SHOWN = 10  # parts, and settings, in a table
_SILENCE = 10.0  # seconds between plain lines, at least


class Line(NamedTuple):
  """A part that is being trained or waits in a queue."""

  networks: Sequence[Network]
  step: int
  steps: int


class Stand(NamedTuple):
  """The state of a sweep, for the display."""

  total: int  # networks wanted
  # the last ones of those that are done, earlier runs' among them
  rows: Sequence[Mapping[str, Any]]
  failed: int  # how many could not be trained
  lines: Sequence[Line]  # a line for each part that is being trained


class Board:
  """Shows the state of a sweep while the context lasts.

  Args:
    metric: says which setting is best.
    console: where to; standard error if None.
  """

  def __init__(self, metric: str, console: Console | None = None):
    self._metric = metric
    self._console = console or Console(stderr=True)
    self._live: Live | None = None
    self._start = time.perf_counter()
    self._last = (-_SILENCE, -1)
    self._first: int | None = None
    self._best: tuple[int, Table | None] = (0, None)

  def __enter__(self) -> "Board":
    if self._console.is_terminal:
      self._live = Live(console=self._console, refresh_per_second=4)
      self._live.start()
    return self

  def __exit__(self, *error: object) -> None:
    if self._live is not None:
      self._live.stop()

  def tell(self, message: str) -> None:
    """Prints a message that stays, such as an error, in one line."""
    message = plain(message)
    if self._live is not None:
      self._console.print(Text(message))
    else:
      print(
        f"[{self._seconds():6.1f} s] {message}", file=sys.stderr, flush=True
      )

  def show(self, stand: Stand) -> None:
    """Shows the present state."""
    now = len(stand.rows) + stand.failed
    if self._first is None:
      self._first = now
    if self._live is not None:
      self._live.update(self._render(stand))
      return
    when, before = self._last
    late = self._seconds() - when >= _SILENCE
    if now != before and (now == stand.total or late):
      self._last = self._seconds(), now
      self.tell(self._summary(stand))

  def _seconds(self) -> float:
    return time.perf_counter() - self._start

  def _summary(self, stand: Stand) -> str:
    text = f"{len(stand.rows)} of {stand.total} networks"
    if stand.failed:
      text += f", {stand.failed} failed"
    best = self._ranked(stand)
    if best and self._live is None:
      arm, *values, value, _, _ = best.rows[0]
      named = zip(best.columns[1:], values, strict=False)
      where = ", ".join([arm, *(f"{n} {v}" for n, v in named if v)])
      text += f", best {self._metric} {value} ({where})"
    return text

  def _ranked(self, stand: Stand) -> Table | None:
    """The best settings; computed anew when there are more rows."""
    if len(stand.rows) != self._best[0]:
      self._best = len(stand.rows), best_table(stand.rows, self._metric)
    return self._best[1]

  def _render(self, stand: Stand) -> Any:
    table = Lines(box=None, pad_edge=False, header_style="dim")
    for name in ("running", "networks", "", "steps"):
      right = name in ("networks", "steps")
      table.add_column(name, justify="right" if right else "left")
    for line in stand.lines[:_SHOWN]:
      bar = ProgressBar(total=max(line.steps, 1), completed=line.step, width=20)
      steps = f"{line.step}/{line.steps}"
      count = str(len(line.networks))
      table.add_row(Text(common(line.networks)), count, bar, steps)
    if len(stand.lines) > _SHOWN:
      table.add_row(f"and {len(stand.lines) - _SHOWN} more", "", "", "")
    parts = [Text(self._summary(stand) + self._left(stand), style="bold")]
    best = self._ranked(stand)
    return Group(*parts, *([to_rich(best)] if best else []), table)

  def _left(self, stand: Stand) -> str:
    """The estimated time left, from what was done so far."""
    now = len(stand.rows) + stand.failed
    done = now - (self._first or 0)
    elapsed = self._seconds()
    if not done or now == stand.total:
      return f", {elapsed:.0f} s"
    left = elapsed / done * (stand.total - now)
    return f", {elapsed:.0f} s, about {left:.0f} s left"


def is_loss(metric: str) -> bool:
  """Whether less of a metric is better."""
  return metric.endswith(("loss", "norm", "seconds"))


def best_table(rows: Sequence[Mapping[str, Any]], metric: str) -> Table | None:
  """The best settings over seeds; None where no network has the metric.

  Args:
    rows: of the last step of networks. One without a finite value makes its
      setting the worst there is.
    metric: what is compared.
  """
  settings: dict[str, list[Mapping[str, Any]]] = {}
  for row in rows:
    if metric in row:
      key = f"{row['arm']} {point_key(row.get('point') or {})}"
      settings.setdefault(key, []).append(row)
  if not settings:
    return None
  values = {
    key: np.array([row[metric] for row in own], float)
    for key, own in settings.items()
  }
  sign = 1 if is_loss(metric) else -1
  means = {key: sign * float(own.mean()) for key, own in values.items()}
  worst_last = lambda key: (not math.isfinite(means[key]), means[key])
  ranked = sorted(settings, key=worst_last)
  points = [own[0].get("point") or {} for own in settings.values()]
  fields = list(dict.fromkeys(field for point in points for field in point))
  names = short_names(fields)
  cells = []
  for key in ranked[:_SHOWN]:
    own, ours = settings[key], estimate(values[key])
    point = own[0].get("point") or {}
    mean = "none" if ours.mean is None else f"{ours.mean:.4g}"
    spread = f" ± {ours.std:.2g}" if ours.std is not None else ""
    lost = sum(row.get("diverged_step") is not None for row in own)
    texts = [_text(point[f]) if f in point else "" for f in fields]
    arm = str(own[0]["arm"])
    cells.append((arm, *texts, mean + spread, str(len(own)), str(lost)))
  columns = ("arm", *(names[f] for f in fields), metric, "seeds", "diverged")
  more = len(ranked) - len(cells)
  notes = (f"and {more} more settings",) if more else ()
  which = "least" if is_loss(metric) else "most"
  title = f"Best settings: {which} {metric.replace('_', ' ')}"
  return Table(title, columns, tuple(cells), notes)


def describe(row: Mapping[str, Any]) -> str:
  """A network in a few words."""
  point = {**row["point"], "seed": row["seed"]}
  fields = [f"{k.rpartition('.')[2]} {v}" for k, v in point.items()]
  return f"{row['arm']}, {', '.join(fields)}"


def failures(rows: Sequence[Mapping[str, Any]]) -> list[str]:
  """A line for each error of networks: of which, and how many more."""
  own: dict[str, list[Mapping[str, Any]]] = {}
  for row in rows:
    own.setdefault(row["error"], []).append(row)
  return [
    describe(found[0])
    + (f" and {len(found) - 1} more" if found[1:] else "")
    + f": {error}"
    for error, found in own.items()
  ]


def common(networks: Sequence[Network]) -> str:
  """What networks have in common, in a few words."""
  arms = list(dict.fromkeys(network.arm for network in networks))
  points = [network.point for network in networks]
  shared = [
    f"{field.rpartition('.')[2]} {value}"
    for field, value in points[0].items()
    if all(point.get(field) == value for point in points)
  ]
  name = arms[0] if len(arms) == 1 else f"{arms[0]}, ..."
  return ", ".join([name, *shared])


def _text(value: Any) -> str:
  return f"{value:.4g}" if isinstance(value, float) else str(value)
