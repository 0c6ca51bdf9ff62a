"""Measures by name: what `probes.*.measure` of a config may be."""

from collections.abc import Callable
from typing import Any

from bnjax.lab.probes import along, distributions, moments, units, whole

# (array, **arguments) -> array or NamedTuple of arrays. Those of `whole` are of
# another kind of thing than an array.
MEASURES: dict[str, Callable[..., Any]] = {
  "autocorrelation": along.autocorrelation,
  "coherence": units.coherence,
  "dead_units": units.dead_units,
  "effective_rank": units.effective_rank,
  "histogram": distributions.histogram,
  "log10_histogram": distributions.log10_histogram,
  "mean": moments.mean,
  "norm": moments.norm,
  "participation_ratio": units.participation_ratio,
  "percentiles": distributions.percentiles,
  "root_mean_square": moments.root_mean_square,
  "saturated_fraction": moments.saturated_fraction,
  "standard_deviation": moments.standard_deviation,
  "values": along.values,
  "variance": moments.variance,
  "zero_fraction": moments.zero_fraction,
  **{name: f for of in whole.OF_KIND.values() for name, f in of.items()},
}
