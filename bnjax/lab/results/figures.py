"""The figures that rules ask for, fitted to what was trained."""

import dataclasses
import math
import re
from collections.abc import Mapping
from typing import Any

from bnjax.lab.results.figure_kinds import Custom, Field, Figure, HeatMap
from bnjax.lab.results.grids import Grid
from bnjax.lab.results.names import words
from bnjax.lab.results.points import flat, grid_axes, is_number, short_names
from bnjax.lab.results.rules import Rules


def figures(rules: Rules, config: Mapping[str, Any]) -> dict[str, Figure]:
  """The figures of some rules, by name; heat maps have their axes named.

  Raises:
    ValueError: the config's grid has no such axis; in one line.
  """
  return {
    name: _with_axes(figure, f"figures.{name}", config)
    if isinstance(figure, HeatMap)
    else figure
    for name, figure in rules.figures.items()
  }


def without_outside(rules: Rules) -> tuple[Rules, dict[str, str]]:
  """The rules without figures of code from outside, and a line for each.

  Reading somebody's results runs none of their code: recorded rules are drawn
  without it, those of a config file that the reader names with it.
  """
  outside = {
    name: figure
    for name, figure in rules.figures.items()
    if isinstance(figure, Custom)
  }
  kept = {n: own for n, own in rules.figures.items() if n not in outside}
  return dataclasses.replace(rules, figures=kept), {
    name: f"figure {name!r} is left out: {figure.function!r} is code from "
    "outside, which only runs for who names the config: give --config=FILE"
    for name, figure in outside.items()
  }


def _with_axes(
  figure: HeatMap, path: str, config: Mapping[str, Any]
) -> HeatMap:
  """The heat map with its axes named: those of the grid, in its order.

  Named ones may be the arms' fields, too.
  """
  axes = list(grid_axes(config))
  if len(axes) < 2 and not (figure.x and figure.y):
    raise ValueError(
      f"{path}: a heat map needs a grid of two fields, or x and y"
    )
  arms = config.get("arms") or {}
  own = [field for arm in arms.values() for field in flat(arm)]
  valid = dict.fromkeys([*axes, *own])
  for name in ("x", "y"):
    field = getattr(figure, name)
    if field and field not in valid:
      raise ValueError(f"{path}.{name} is {field!r}; valid: {', '.join(valid)}")
  x = figure.x or next(field for field in axes if field != figure.y)
  y = figure.y or next(field for field in axes if field != x)
  if x == y:
    raise ValueError(f"{path}.y is {y!r}, which is its x already")
  return dataclasses.replace(figure, x=x, y=y)


def of_grid(grid: Grid) -> dict[str, Figure]:
  """The figures of a grid whose rules ask for none, by name.

  One field: a line an arm. More, and every combination was tried: a heat
  map. Otherwise a figure a field, at the best of what else was tried.
  """
  fields = grid.fields
  full = len(grid.points) == math.prod(len(grid.axis(f)) for f in fields)
  if len(fields) > 1 and full:
    return {"heat_map": HeatMap(x=fields[0], y=fields[1])}
  names = short_names(fields) if len(fields) > 1 else {fields[0]: "grid"}
  found: dict[str, Figure] = {}
  for field, name in names.items():
    values = [value for value in grid.axis(field) if value is not None]
    log = all(is_number(value) and value > 0 for value in values)
    wide = log and max(values) >= 10 * min(values)
    title = f"{words(grid.metric).capitalize()} by {name.replace('_', ' ')}"
    fit = re.sub(r"[^\w .,=+-]", "_", name).strip(" .,=+-")[:60]
    found[fit or "grid"] = Field(
      x=field,
      metrics=(grid.metric,),
      log_x=wide,
      title=title if len(fields) > 1 else "",
    )
  return found
