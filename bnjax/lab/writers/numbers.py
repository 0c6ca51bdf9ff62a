"""From the records' rows to the names and numbers that other programs take."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from bnjax.lab.writers.writer import Histogram, Network, Row, Table

_IDENTITY = ("arm", "seed", "step", "point")
_FEW = 10  # numbers that are shown one by one; more as a histogram of them
_BINS = 30
_SHOWN = 1000  # test images in a table of predictions


def name_of(arm: str, seed: int, point: Mapping[str, Any]) -> str:
  """A network's name: its arm, its point of the grid, its seed.

  >>> name_of("batch_norm", 3, {"optimizer.learning_rate": 0.1})
  'batch_norm/learning_rate=0.1/seed_3'
  """
  values = [f"{f.rpartition('.')[2]}={v}" for f, v in point.items()]
  parts = [arm, *([",".join(values)] if values else []), f"seed_{seed}"]
  # Parts become names of directories.
  return "/".join(p.replace("/", "_").lstrip(".") or "_" for p in parts)


def flatten(
  spec: Mapping[str, Any], path: str = ""
) -> dict[str, bool | int | float | str]:
  """A specification by dotted field; lists as text.

  >>> flatten({"norm": {"name": "none"}, "steps": 5, "sizes": (1, 2)})
  {'norm.name': 'none', 'steps': 5, 'sizes': '(1, 2)'}
  """
  flat: dict[str, bool | int | float | str] = {}
  for key, value in spec.items():
    if isinstance(value, Mapping):
      flat |= flatten(value, f"{path}{key}.")
    else:
      simple = isinstance(value, bool | int | float | str)
      flat[path + key] = value if simple else str(value)
  return flat


def hyperparameters(
  networks: Sequence[Network],
) -> list[dict[str, bool | int | float | str]]:
  """Of every network its arm, its seed, and the fields that differ."""
  flat = [flatten(network.spec) for network in networks]
  fields = dict.fromkeys(field for spec in flat for field in spec)
  missing = object()
  differing = [
    field
    for field in fields
    if field not in ("seed", "seeds")
    and len({repr(spec.get(field, missing)) for spec in flat}) > 1
  ]
  tables = []
  for network, spec in zip(networks, flat, strict=True):
    table: dict[str, bool | int | float | str] = {
      "arm": network.arm,
      "seed": network.seed,
    }
    table |= {field: spec[field] for field in differing if field in spec}
    tables.append(table)
  return tables


def scalars(row: Row) -> dict[str, float]:
  """The numbers of a row of metrics.jsonl, by their names there.

  >>> scalars({"arm": "a", "seed": 0, "step": 5, "loss": 2, "x_loss": None})
  {'loss': 2.0}
  """
  return {
    name: float(value)
    for name, value in row.items()
    if name not in _IDENTITY and isinstance(value, int | float)
  }


def probe_numbers(
  row: Row,
) -> tuple[dict[str, float], dict[str, Histogram]]:
  """What a row of probes.jsonl holds, named by its probe and layer.

  One number is a scalar and so is each of a few, numbered; the values of many
  units become a histogram of them. A logarithmic histogram's share of zeros,
  which are in no bin, is a scalar of its own.

  Returns:
    The scalars and the histograms.
  """
  name = f"{row['probe']}/{row['layer']}"
  if "edges" in row:
    few = {}
    if "zero_fraction" in row:
      few[f"{name}/zero_fraction"] = float(row["zero_fraction"])
    return few, {name: Histogram(row["values"], row["edges"])}
  values = np.asarray(row["values"], np.float64)
  if values.ndim == 0:
    return {name: float(values)}, {}
  if values.size <= _FEW:
    return {f"{name}/{i}": float(v) for i, v in enumerate(values.ravel())}, {}
  finite = values[np.isfinite(values)]
  if not finite.size:
    return {}, {}
  try:
    counts, edges = np.histogram(finite, _BINS)
  except ValueError:  # no room for so many bins between such close numbers
    middle = float(finite.mean())
    gap = abs(middle) * 1e-6 or 1.0
    counts, edges = np.array([finite.size]), np.array([middle, middle + gap])
  return {}, {name: Histogram(counts.tolist(), edges.tolist())}


def moments(histogram: Histogram) -> tuple[float, float, float]:
  """Count, sum and sum of squares, each number taken as its bin's middle.

  >>> moments(Histogram([1, 3], [0.0, 2.0, 4.0]))
  (4.0, 10.0, 28.0)
  """
  counts = np.asarray(histogram.counts, np.float64)
  edges = np.asarray(histogram.edges, np.float64)
  middles = (edges[1:] + edges[:-1]) / 2
  return (
    float(counts.sum()),
    math.fsum(counts * middles),
    math.fsum(counts * middles**2),
  )


def prediction_table(rows: Sequence[Row]) -> Table:
  """What arms say of test images, those that they disagree on first.

  >>> arms = {"a": {"prediction": 7, "confidence": 0.9, "right": 1.0}}
  >>> row = {"index": 3, "label": 7, "disagreement": 0.1, "arms": arms}
  >>> prediction_table([row]).columns[3:]
  ('a: prediction', 'a: confidence', 'a: right')
  >>> prediction_table([row]).rows
  [(3, 7, 0.1, 7, 0.9, 1.0)]
  """
  own = ("prediction", "confidence", "right")
  arms = list(rows[0]["arms"])
  columns = ["index", "label", "disagreement"]
  columns += [f"{arm}: {name}" for arm in arms for name in own]
  first = sorted(rows, key=lambda row: -row["disagreement"])[:_SHOWN]
  cells = [
    (
      *(row[name] for name in columns[:3]),
      *(row["arms"][arm][name] for arm in arms for name in own),
    )
    for row in first
  ]
  return Table(tuple(columns), cells)
