"""Rows of `probes.jsonl`: what probes saw inside a network.

    {"arm", "seed", "step", ["point"], "probe": its name in the config,
     "layer": "activation_3", "values": a number or a (nested) list,
     ["edges"]: of a histogram's bins, ["zero_fraction"]: beside them}

As in the rows of metrics, null stands for a number that was not finite, and of
rows with one arm, seed, step, point, probe and layer the last one counts.
"""

import dataclasses
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from bnjax.lab.results.aggregate import Curve, Row, curves
from bnjax.lab.results.names import Probe
from bnjax.lab.results.order import natural
from bnjax.lab.results.points import Point, matches, point_of

_FIELDS = ("arm", "seed", "step", "probe", "layer", "values")


@dataclasses.dataclass(frozen=True)
class Seen:
  """What one probe saw at one layer of one run, at one step.

  Attributes:
    seed: the run's seed.
    step: the training step.
    values: float64 of any shape; NaN where it was not finite.
    edges: of a histogram's bins, one more than `values` has; None otherwise.
    zero_fraction: of a histogram of magnitudes: the share of exact zeros, which
      are in no bin; None otherwise.
  """

  seed: int
  step: int
  values: np.ndarray
  edges: np.ndarray | None
  zero_fraction: float | None = None


class Probes:
  """Probe rows, found by arm, probe and layer."""

  def __init__(self, rows: Iterable[Row] = ()):
    """Groups the rows.

    Raises:
      ValueError: a row lacks a field.
    """
    self._rows: dict[tuple[str, str, str], list[Row]] = {}
    for row in rows:
      for field in _FIELDS:
        if field not in row:
          raise ValueError(f"a row of probes has no {field!r}: {_brief(row)}")
      key = row["arm"], row["probe"], row["layer"]
      self._rows.setdefault(key, []).append(row)

  def rows(self) -> Iterator[Row]:
    """Every row."""
    for own in self._rows.values():
      yield from own

  def names(self) -> list[str]:
    """The probes, as they first appear."""
    return list(dict.fromkeys(name for _, name, _ in self._rows))

  def layers(self, probe: str, arm: str | None = None) -> list[str]:
    """The layers that a probe saw, in the order of their numbers."""
    found = {
      layer
      for name, kind, layer in self._rows
      if kind == probe and arm in (None, name)
    }
    return sorted(found, key=natural)

  def seen(
    self,
    arm: str,
    probe: str,
    layer: str,
    point: Iterable[tuple[str, Any]] = (),
  ) -> list[Seen]:
    """What a probe saw at a layer, by seed and step.

    Args:
      arm: the arm.
      probe: the probe's name in the config.
      layer: the layer's name.
      point: values of the grid's fields, where the arm has one: those runs.
    """
    wanted = tuple(point)
    kept: dict[tuple[int, int], Seen] = {}
    for row in self._rows.get((arm, probe, layer), ()):
      if _at(point_of(row), wanted):
        edges = row.get("edges")
        kept[row["seed"], row["step"]] = Seen(
          row["seed"],
          row["step"],
          _array(row["values"]),
          None if edges is None else _array(edges),
          row.get("zero_fraction"),
        )
    return [kept[key] for key in sorted(kept)]

  def curve(self, arm: str, name: Probe) -> Curve | None:
    """A number of a probe over steps, for each seed.

    Returns:
      The curve, named as `name` is; None if nothing was seen.

    Raises:
      ValueError: the index does not lead to one number.
    """
    rows = []
    text = name.probe + "/" + name.layer + "".join(f"[{i}]" for i in name.index)
    for seen in self.seen(arm, name.probe, name.layer, name.point):
      try:
        value = seen.values[name.index]
      except IndexError:
        value = seen.values
      if np.ndim(value):
        shape = list(seen.values.shape)
        raise ValueError(f"{text} is not one number: the probe's is {shape}")
      rows.append(
        {"arm": arm, "seed": seen.seed, "step": seen.step, text: float(value)}
      )
    return curves(rows).get((arm, text))


def _at(point: Point, wanted: tuple[tuple[str, Any], ...]) -> bool:
  return matches(point, wanted) if wanted else not point


def _array(values: Any) -> np.ndarray:
  """Nested lists with None as float64 with NaN."""
  return np.asarray(values, np.float64)


def _brief(row: Mapping[str, Any]) -> str:
  return str({k: v for k, v in row.items() if k not in ("values", "edges")})
