"""What probes saw: numbers per layer, histograms, percentiles, over steps.

A probe at the points of a grid has one entry for each point; a page cannot
show more than some of them.
"""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from bnjax.lab.report.drawing import Run
from bnjax.lab.report.page.histograms import pooled
from bnjax.lab.report.page.numbers import short, spaced
from bnjax.lab.results.figure_kinds import (
  Figure,
  Histograms,
  Layers,
  Percentiles,
)
from bnjax.lab.results.names import words
from bnjax.lab.results.order import natural
from bnjax.lab.results.points import Point, point_of, short_names
from bnjax.lab.results.probes import Seen

_NUMBERS = 150_000  # of one probe
_POINTS = 24


class _Found(NamedTuple):
  """What one probe saw at one point: arm -> layer -> by seed and step."""

  name: str
  point: Point
  arms: dict[int, dict[str, list[Seen]]]

  @property
  def layers(self) -> list[str]:
    names = {layer for own in self.arms.values() for layer in own}
    return sorted(names, key=natural)

  @property
  def steps(self) -> list[int]:
    return sorted({seen.step for _, _, seen in self.cells()})

  def cells(self) -> Iterator[tuple[int, str, Seen]]:
    for arm, layers in self.arms.items():
      for layer, own in layers.items():
        for seen in own:
          yield arm, layer, seen


def probes(
  run: Run, figures: Mapping[str, Figure]
) -> dict[str, list[dict[str, Any]]]:
  """Everything that probes saw: `layers`, `histograms` and `percentiles`."""
  shown: dict[str, list[dict[str, Any]]] = {
    "layers": [],
    "histograms": [],
    "percentiles": [],
  }
  measures = run.measured.config.get("probes") or {}
  for found in _all(run):
    if not found.arms:
      continue
    _, _, first = next(found.cells())
    settings = measures.get(found.name) or {}
    if first.edges is not None:
      shown["histograms"].append(_histograms(found, settings, figures))
    elif first.values.ndim == 0:
      shown["layers"].append(_layers(found, figures))
    else:
      shown["percentiles"].append(_percentiles(found, settings, figures))
  return shown


def _all(run: Run) -> Iterator[_Found]:
  own = run.measured.probes
  points = list(dict.fromkeys(point_of(row) for row in own.rows()))
  for name in own.names():
    for point in points[:_POINTS]:
      arms = {}
      for place, arm in enumerate(run.measured.arms):
        layers = {
          layer: seen
          for layer in own.layers(name, arm)
          if (seen := own.seen(arm, name, layer, point))
        }
        if layers:
          arms[place] = layers
      yield _Found(name, point, arms)


def _common(found: _Found, per_step: int) -> tuple[dict[str, Any], list[int]]:
  """What every kind has, and the steps that there is room for."""
  steps = found.steps
  kept = [steps[i] for i in spaced(len(steps), _NUMBERS // max(per_step, 1))]
  names = short_names(field for field, _ in found.point)
  place = ", ".join(f"{names[f]} {v}" for f, v in found.point)
  common = {
    "probe": found.name,
    "words": words(found.name),
    "point": place,
    "layers": found.layers,
    "steps": kept,
    "thinned": len(kept) < len(steps),
  }
  return common, kept


def _options(
  found: _Found, figures: Mapping[str, Figure], kind: type[Figure]
) -> Any:
  """The first figure of the config that shows this probe, or None."""
  for figure in figures.values():
    if isinstance(figure, kind) and getattr(figure, "probe", "") == found.name:
      return figure
  return None


def _layers(found: _Found, figures: Mapping[str, Figure]) -> dict[str, Any]:
  """A number per layer: values [step][layer][seed]."""
  layers = found.layers
  seeds = sorted({seen.seed for _, _, seen in found.cells()})
  common, steps = _common(found, len(found.arms) * len(layers) * len(seeds))
  arms = []
  for arm, own in found.arms.items():
    values = np.full((len(steps), len(layers), len(seeds)), np.nan)
    for layer, seen in own.items():
      for one in seen:
        if one.step in steps:
          place = steps.index(one.step), layers.index(layer)
          values[*place, seeds.index(one.seed)] = one.values
    arms.append({"arm": arm, "values": short(values)})
  options = _options(found, figures, Layers)
  view = {
    "title": options.title if options else "",
    "log": options.log_y if options else True,
    "label": options.label if options else "",
    "reference": options.reference if options else None,
    "reference_text": options.reference_text if options else "",
    "reference_arm": options.reference_arm if options else "",
  }
  return {**common, **view, "seeds": seeds, "arms": arms}


def _histograms(
  found: _Found, settings: Mapping[str, Any], figures: Mapping[str, Figure]
) -> dict[str, Any]:
  """Counts of all seeds together: cells [step][layer], null where not seen."""
  layers, (_, _, first) = found.layers, next(found.cells())
  size = len(found.arms) * len(layers) * (first.values.size + 4)
  common, steps = _common(found, size)
  arms = []
  for arm, own in found.arms.items():
    cells = [
      [
        pooled([one for one in own.get(layer, ()) if one.step == step])
        for layer in layers
      ]
      for step in steps
    ]
    arms.append({"arm": arm, "cells": cells})
  options = _options(found, figures, Histograms)
  return {
    **common,
    "title": options.title if options else "",
    "logarithms": settings.get("measure") == "log10_histogram",
    "log_counts": options.log_counts if options else False,
    "shared": options.shared if options else True,
    "label": options.label if options else "",
    "arms": arms,
  }


def _percentiles(
  found: _Found, settings: Mapping[str, Any], figures: Mapping[str, Figure]
) -> dict[str, Any]:
  """Percentiles of units: values [step][percentage][unit] of each network."""
  _, _, first = next(found.cells())
  networks = {(arm, layer, seen.seed) for arm, layer, seen in found.cells()}
  common, steps = _common(found, len(networks) * first.values.size)
  q = settings.get("q")
  texts = [f"{x:g}%" for x in q] if isinstance(q, list | tuple) else []
  lines = []
  for arm, own in found.arms.items():
    for layer, seen in own.items():
      for seed in dict.fromkeys(one.seed for one in seen):
        kept = [s for s in seen if s.seed == seed and s.step in steps]
        units = [s.values if s.values.ndim > 1 else s.values[:, None]
                 for s in kept]  # fmt: skip
        lines.append(
          {
            "arm": arm,
            "layer": layer,
            "seed": seed,
            "steps": [one.step for one in kept],
            "values": short([unit.tolist() for unit in units]),
          }
        )
  options = _options(found, figures, Percentiles)
  return {
    **common,
    "title": options.title if options else "",
    "layer": options.layer.partition("@")[0] if options else "",
    "unit": options.unit if options else 0,
    "log_x": options.log_x if options else False,
    "low": options.low if options else None,
    "high": options.high if options else None,
    "label": options.label if options else "",
    "texts": texts,
    "lines": lines,
  }
