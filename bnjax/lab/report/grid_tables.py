"""The tables of a grid: what follows from all of it, and its points."""

from collections.abc import Iterable, Mapping
from typing import Any

from bnjax.lab.report.numbers import bound_notes, format_result, format_spread
from bnjax.lab.report.render import NONE, Table
from bnjax.lab.report.wording import field_name, number_text, sentence
from bnjax.lab.results.names import words
from bnjax.lab.results.points import common_ratio

Summary = Mapping[str, Any]

# A grid with more points than that has a figure, and no table of them.
_FEW = 24
# With more arms than that, a point's arms are rows and not columns.
_ARMS = 4


def grid_tables(summary: Summary) -> list[Table]:
  """A table of the arms, and one of the points where they are few."""
  grids = summary.get("grids") or []
  if not grids:
    return []
  tables = [_arms(summary, grids)]
  if max(len(grid["points"]) for grid in grids) <= _FEW:
    tables.append(_points(grids))
  return tables


def _arms(summary: Summary, grids: list[Mapping[str, Any]]) -> Table:
  arms = [grid["arm"] for grid in grids]
  found = [
    entry
    for entry in summary["entries"]
    if entry["arm"] in arms and not {"@", "/"} & {*entry["metric"]}
  ]
  # The first of a metric is at the last step.
  entries = {(e["arm"], words(e["metric"])): e for e in reversed(found)}
  cells = {key: format_result(entry) for key, entry in entries.items()}
  names = list(dict.fromkeys(words(entry["metric"]) for entry in found))
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
  few = len(arms) <= _ARMS
  rows = [("" if few else "arm", *names)]
  rows += [(arm, *(cells.get((arm, n), NONE) for n in names)) for arm in arms]
  columns, *rows = zip(*rows, strict=True) if few else rows
  return Table("Over the whole grid", columns, tuple(rows), tuple(notes))


def _resolutions(grid: Mapping[str, Any]) -> list[str]:
  """How far the values of a field lie apart: a largest one is among them."""
  values = zip(*grid["points"], strict=True)
  return [
    f"largest {field_name(field)}: among values a factor of {ratio:.3g} apart"
    for field, own in zip(grid["fields"], values, strict=False)
    if (ratio := common_ratio(_once(own)))
  ]


def _once(found: Iterable[Any]) -> list[Any]:
  """Each value once; of lists, which JSON has for tuples, as well."""
  return list({str(value): value for value in found}.values())


def _points(grids: list[Mapping[str, Any]]) -> Table:
  names = [field_name(field) for field in grids[0]["fields"]]
  points = _once(point for grid in grids for point in grid["points"])
  metric = _shown(grids)
  cells = {
    (grid["arm"], str(point)): _cell(grid, place, metric)
    for grid in grids
    for place, point in enumerate(grid["points"])
  }
  arms = [grid["arm"] for grid in grids]
  few = len(arms) <= _ARMS
  columns = (*names, *(arms if few else ("arm", words(metric))))
  rows: list[tuple[str, ...]] = []
  for point in points:
    place = [number_text(value, 6) for value in point]
    own = {arm: cells.get((arm, str(point)), NONE) for arm in arms}
    rows += (
      [(*place, *own.values())]
      if few
      else [(*place, *pair) for pair in own.items()]
    )
  title = sentence(f"{words(metric)} at each point")
  return Table(title, columns, tuple(rows))


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
