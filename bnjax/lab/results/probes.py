"""What probes saw inside a network, found by arm, probe and layer."""

import itertools
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np

from bnjax.lab.results.aggregate import Curve, curve_of
from bnjax.lab.results.names import Probe
from bnjax.lab.results.order import natural
from bnjax.lab.results.points import matches
from bnjax.lab.results.rows import Row, Table


class Seen(NamedTuple):
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

  def column(self, size: int, column: int) -> np.ndarray | None:
    """A list of that size, of lists one column; None where it is none."""
    values = self.values
    if values.ndim == 2 and column < values.shape[1]:
      values = values[:, column]
    return values if values.shape == (size,) else None


class Probes:
  """Probe rows, found by arm, probe and layer."""

  def __init__(self, rows: Iterable[Row] = ()):
    """Groups the rows.

    Raises:
      ValueError: a row is not as it should be, see `Table`.
    """
    self._table = Table.of_probes(rows)
    keys = ["arm", "probe", "layer"]
    # Arm, probe and layer -> where its rows are.
    self._places = self._table.frame.groupby(keys, observed=True).indices

  def rows(self) -> Iterator[Row]:
    """Every row."""
    return iter(self._table)

  def names(self) -> list[str]:
    """The probes, as they first appear."""
    return list(self._table.frame["probe"].cat.categories)

  def layers(self, probe: str, arm: str | None = None) -> list[str]:
    """The layers that a probe saw, in the order of their numbers."""
    found = {
      layer
      for name, kind, layer in self._places
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
    """What a probe saw at a layer, by seed and step; at a point of the grid."""
    frame = self._table.frame
    own = frame.iloc[self._places.get((arm, probe, layer), [])]
    wanted = tuple(point)
    at = [p for p in self._table.points if wanted and matches(p, wanted)]
    own = own[own["point"].isin(at) if wanted else own["point"].isna()]
    columns = [own[name].tolist() for name in Seen._fields]
    rows = itertools.starmap(Seen, zip(*columns, strict=True))
    kept = {(seen.seed, seen.step): seen for seen in rows}
    return [kept[key] for key in sorted(kept)]

  def curve(self, arm: str, name: Probe) -> Curve | None:
    """A number of a probe over steps, for each seed; None if there is none.

    Raises:
      ValueError: the index does not lead to one number.
    """
    own = self.seen(arm, name.probe, name.layer, name.point)
    numbers = []
    for seen in own:
      try:
        value = seen.values[name.index]
      except IndexError:
        value = seen.values
      if np.ndim(value):
        shape = list(seen.values.shape)
        raise ValueError(
          f"{name.metric} is not one number: the probe's is {shape}"
        )
      numbers.append(value)
    values = np.array(numbers, np.float64)
    seeds, steps = (
      np.array([seen[i] for seen in own], np.int64) for i in (0, 1)
    )
    recorded = np.where(np.isfinite(values), values, np.inf)
    return curve_of(arm, name.metric, seeds, steps, recorded)
