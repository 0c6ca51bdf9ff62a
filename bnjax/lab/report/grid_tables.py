"""The tables of a grid: what follows from all of it, and its points."""

from collections.abc import Mapping
from typing import Any

from bnjax.lab.report.numbers import bound_notes, format_result, format_spread
from bnjax.lab.report.render import NONE, Table
from bnjax.lab.results.names import words
from bnjax.lab.results.points import common_ratio

Summary = Mapping[str, Any]

# A grid with more points than that has a figure, and no table of them.
FEW = 24
# With more arms than that, a point's arms are rows and not columns.
_ARMS = 4


def grid_tables(summary: Summary) -> list[Table]:
  """A table of the arms, and one of the points where they are few."""
  grids = summary.get("grids") or []
  if not grids:
    return []
  tables = [_arms(summary, grids)]
  if max(len(grid["points"]) for grid in grids) <= FEW:
    tables.append(_points(grids))
  return tables


def _arms(summary: Summary, grids: list[Mapping[str, Any]]) -> Table:
  arms = [grid["arm"] for grid in grids]
  entries: dict[tuple[str, str], Mapping[str, Any]] = {}
  for entry in summary["entries"]:
    # The last one is at the last step.
    whole = entry["arm"] in arms and "@" not in entry["metric"]
    if whole and "/" not in entry["metric"]:
      entries.setdefault((entry["arm"], entry["metric"]), entry)
  metrics = list(dict.fromkeys(metric for _, metric in entries))
  cells = {
    (arm, words(metric)): format_result(entry)
    for (arm, metric), entry in entries.items()
  }
  names = [words(metric) for metric in metrics]
  if any(any(grid["diverged"]) for grid in grids):
    names.append("runs that diverged")
    for grid in grids:
      runs = f"{sum(grid['diverged'])} of {sum(grid['seeds'])}"
      cells[grid["arm"], "runs that diverged"] = runs
  first = grids[0]
  notes = [
    f"trained: {words(first['metric'])} of at least {first['threshold']:g}, at "
    f"{len(first['points'])} points",
    f"best: at the point of the greatest {words(first['metric'])} of each seed",
    *_resolutions(first),
    *bound_notes(entries.values()),
  ]
  across, down = (arms, names) if len(arms) <= _ARMS else (names, arms)
  rows = tuple(
    (line, *(cells.get(_key(line, column, arms), NONE) for column in across))
    for line in down
  )
  columns = ("" if across is arms else "arm", *across)
  return Table("Over the whole grid", columns, rows, tuple(notes))


def _resolutions(grid: Mapping[str, Any]) -> list[str]:
  """How far the values of a field lie apart: a largest one is among them."""
  notes = []
  for place, field in enumerate(grid["fields"]):
    values = dict.fromkeys(point[place] for point in grid["points"])
    name = field.rpartition(".")[2].replace("_", " ")
    if ratio := common_ratio(list(values)):
      text = f"largest {name}: among values a factor of {ratio:.3g} apart"
      notes.append(text)
  return notes


def _key(one: str, other: str, arms: list[str]) -> tuple[str, str]:
  return (one, other) if one in arms else (other, one)


def _points(grids: list[Mapping[str, Any]]) -> Table:
  fields = grids[0]["fields"]
  names = [field.rpartition(".")[2].replace("_", " ") for field in fields]
  points = list(dict.fromkeys(tuple(p) for g in grids for p in g["points"]))
  metric = _shown(grids)
  cells = {
    (grid["arm"], tuple(point)): _cell(grid, place, metric)
    for grid in grids
    for place, point in enumerate(grid["points"])
  }
  arms = [grid["arm"] for grid in grids]
  texts = {point: tuple(map(_text, point)) for point in points}
  if len(arms) <= _ARMS:
    columns = (*names, *arms)
    rows = [
      (*texts[point], *(cells.get((arm, point), NONE) for arm in arms))
      for point in points
    ]
  else:
    columns = (*names, "arm", words(metric))
    rows = [
      (*texts[point], arm, cells.get((arm, point), NONE))
      for point in points
      for arm in arms
    ]
  title = f"{words(metric)} at each point"
  return Table(title[:1].upper() + title[1:], columns, tuple(rows))


def _shown(grids: list[Mapping[str, Any]]) -> str:
  for name in ("test_accuracy", grids[0]["metric"]):
    if any(name in grid["metrics"] for grid in grids):
      return name
  return next((name for grid in grids for name in grid["metrics"]), "loss")


def _cell(grid: Mapping[str, Any], place: int, metric: str) -> str:
  found = grid["metrics"].get(metric)
  if found is None:
    return NONE
  text = format_spread(metric, found["mean"][place], found["std"][place])
  if count := grid["diverged"][place]:
    text += f" ({count} of {grid['seeds'][place]} diverged)"
  return text


def _text(value: Any) -> str:
  number = isinstance(value, int | float) and not isinstance(value, bool)
  return f"{value:g}" if number else str(value)
