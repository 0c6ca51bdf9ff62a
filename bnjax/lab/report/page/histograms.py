"""Histograms of several networks as one."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from bnjax.lab.report.page.numbers import short
from bnjax.lab.results.probes import Seen


def pooled(seen: Sequence[Seen]) -> dict[str, Any] | None:
  """The histogram of all networks together.

  Bins that are the same are added up. Where each network has its own, all are
  spread over as many bins from the least edge to the greatest, as if what is
  in a bin were spread evenly over it.

  Args:
    seen: what a probe saw of one layer at one step, a network each.

  Returns:
    {"low", "high", "counts", "seeds", "zeros"}, with "edges" in place of the
    first two where bins are of unequal widths; None without anything.
  """
  own = [one for one in seen if one.edges is not None and one.values.sum() > 0]
  own = [one for one in own if np.isfinite(_edges(one)).all()]
  if not own:
    return None
  edges = _edges(own[0])
  if any(_edges(one).size != one.values.size + 1 for one in own):
    raise ValueError("a histogram has no edge more than counts")
  if all(np.array_equal(_edges(one), edges) for one in own):
    counts = np.sum([one.values for one in own], axis=0)
  else:
    low = min(_edges(one)[0] for one in own)
    high = max(_edges(one)[-1] for one in own)
    edges = np.linspace(low, high, edges.size)
    counts = np.sum([_spread(one, edges) for one in own], axis=0)
  zeros = [one.zero_fraction for one in own if one.zero_fraction is not None]
  found = {
    "counts": short(counts, 4),
    "seeds": len(own),
    "zeros": short(float(np.mean(zeros)), 3) if zeros else None,
  }
  width = np.diff(edges)
  if np.allclose(width, width.mean(), rtol=1e-3):
    ends = {"low": short(edges[0], 6), "high": short(edges[-1], 6)}
  else:
    ends = {"edges": short(edges, 6)}
  return found | ends


def _edges(one: Seen) -> np.ndarray:
  assert one.edges is not None
  return one.edges


def _spread(one: Seen, edges: np.ndarray) -> np.ndarray:
  """Counts in other bins, which reach as far: what is below each edge."""
  below = np.concatenate([[0.0], np.cumsum(one.values)])
  return np.diff(np.interp(edges, _edges(one), below))
