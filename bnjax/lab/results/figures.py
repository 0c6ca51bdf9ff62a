"""Which figures and tables a config asks for, read and checked.

    figures = {name: {"kind": "curves", "metrics": ["loss"], ...}}
    tables = {name: {"kind": "layers", "probe": "variance", ...}}

`name` becomes the file's. `figure_kinds` has the kinds and their options;
without any figure there are the usual ones. What draws them is `report`:
this module needs no graphics, so that a wrong option is found before training.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

from bnjax.lab.results.figure_kinds import (
  KINDS,
  Curves,
  Field,
  Figure,
  Final,
  HeatMap,
  Layers,
  Percentiles,
  StepsTo,
)
from bnjax.lab.results.names import expand
from bnjax.lab.results.parse import build, check_name, mapping, numbers_of
from bnjax.lab.results.points import grid_axes, is_number

_STRINGS = ("arms", "metrics", "titles", "layers")
_NUMBERS = ("threshold", "reference")


def figures(config: Mapping[str, Any]) -> dict[str, Figure]:
  """The figures that a config asks for, by name; empty if it asks for none.

  Raises:
    ValueError: a figure's option is missing, unknown or of the wrong kind; the
      one-line message names it.
  """
  return _read(config, "figures", KINDS)


def named_metrics(figure: Figure) -> list[str]:
  """The names of metrics that a figure needs.

  Those that it looks at point by point are not among them: see
  `recorded_metrics`.
  """
  match figure:
    case Curves() | Final():
      return list(figure.metrics)
    case StepsTo():
      return figure.names()
    case Percentiles():
      return [f"{figure.probe}/{figure.layer}"]
  return []


def recorded_metrics(figure: Figure) -> list[str]:
  """The metrics of the rows that a figure looks at point by point."""
  match figure:
    case Field():
      return list(figure.metrics)
    case HeatMap():
      return [figure.metric] if figure.metric else []
  return []


def layer_tables(config: Mapping[str, Any]) -> dict[str, Layers]:
  """The tables that a config asks for beside the usual ones, by name."""
  found = _read(config, "tables", {"layers": Layers})
  return {name: t for name, t in found.items() if isinstance(t, Layers)}


def _read(
  config: Mapping[str, Any], group: str, kinds: Mapping[str, type[Figure]]
) -> dict[str, Figure]:
  found = {}
  for name, fields in (config.get(group) or {}).items():
    path = f"{group}.{name}"
    own = dict(mapping(path, fields))
    kind = own.pop("kind", None)
    if kind not in kinds:
      raise ValueError(f"{path}.kind is {kind!r}; valid: {', '.join(kinds)}")
    found[name] = _figure(kinds[kind], path, own, config)
  return found


def _figure(
  kind: type[Figure],
  path: str,
  fields: dict[str, Any],
  config: Mapping[str, Any],
) -> Figure:
  for name in _STRINGS:
    if name in fields:
      fields[name] = _strings(f"{path}.{name}", fields[name])
  if "layers" in fields:
    fields["layers"] = _layers(path, fields["layers"])
  for name in ("thresholds", "steps"):
    if name in fields:
      fields[name] = numbers_of(f"{path}.{name}", fields[name])
  for name in _NUMBERS:
    if fields.get(name) is not None and not is_number(fields[name]):
      raise ValueError(
        f"{path}.{name} is {fields[name]!r}, but should be a number"
      )
  figure: Figure = build(kind, path, fields)
  for name in named_metrics(figure):
    check_name(path, name)
  if isinstance(figure, HeatMap):
    figure = _with_axes(figure, path, config)
  probe = getattr(figure, "probe", None)
  probes = list(config.get("probes") or {})
  if probe is not None and probe not in probes:
    raise ValueError(
      f"{path}.probe is {probe!r}; valid: {', '.join(probes) or 'none'}"
    )
  return figure


def _with_axes(
  figure: HeatMap, path: str, config: Mapping[str, Any]
) -> HeatMap:
  """The heat map with its axes named: those of the grid, in its order."""
  axes = list(grid_axes(config))
  if len(axes) < 2:
    raise ValueError(f"{path}: a heat map needs a grid of two fields")
  for name in ("x", "y"):
    field = getattr(figure, name)
    if field and field not in axes:
      raise ValueError(f"{path}.{name} is {field!r}; valid: {', '.join(axes)}")
  x = figure.x or next(field for field in axes if field != figure.y)
  y = figure.y or next(field for field in axes if field != x)
  if x == y:
    raise ValueError(f"{path}.y is {y!r}, which is its x already")
  return dataclasses.replace(figure, x=x, y=y)


def _strings(path: str, value: Any) -> tuple[str, ...]:
  values = [value] if isinstance(value, str) else value
  if not isinstance(values, list | tuple) or not all(
    isinstance(v, str) for v in values
  ):
    raise ValueError(f"{path} should be a name or a list of names")
  return tuple(values)


def _layers(path: str, patterns: tuple[str, ...]) -> tuple[str, ...]:
  try:
    return tuple(name for p in patterns for name in expand(p))
  except ValueError as error:
    raise ValueError(f"{path}.layers: {error}") from None
