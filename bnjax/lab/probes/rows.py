"""Results of probes as rows of JSON; on the host."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from bnjax.lab.results.order import natural


def to_rows(results: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
  """Returns a row per probe and layer, both in natural order.

  Args:
    results: of `run_probes`, of one network: of many, take one by
      `jax.tree.map(lambda a: a[i], results)`.

  Returns:
    Rows of `probe`, `layer` and `values`, a number or a (nested) list. Of a
    histogram, `values` are its counts, and `edges` and, where it has one,
    `zero_fraction` are fields too. Numbers may be NaN or infinite.

  Example:
    >>> to_rows({"zeros": {"dense_10": np.array(0.5), "dense_9": np.ones(2)}})
    [{'probe': 'zeros', 'layer': 'dense_9', 'values': [1.0, 1.0]},
     {'probe': 'zeros', 'layer': 'dense_10', 'values': 0.5}]
  """
  return [
    {"probe": probe, "layer": layer, **_fields(results[probe][layer])}
    for probe in sorted(results, key=natural)
    for layer in sorted(results[probe], key=natural)
  ]


def _fields(result: Any) -> dict[str, Any]:
  parts = result._asdict() if hasattr(result, "_asdict") else {"values": result}
  return {
    "values" if name == "counts" else name: np.asarray(part).tolist()
    for name, part in parts.items()
  }
