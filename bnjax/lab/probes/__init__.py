"""Probes: measures of the outputs, gradients and parameters of any layer.

`MEASURES` are functions of an array, `capture` shows what flows through any
Flax linen model, forward and back, and `make_probes` with `run_probes` puts
both together as a config describes it.
"""

from bnjax.lab.probes.capture import Captured as Captured, capture as capture
from bnjax.lab.probes.distributions import (
  Histogram as Histogram,
  LogHistogram as LogHistogram,
  histogram as histogram,
  log10_histogram as log10_histogram,
  percentiles as percentiles,
)
from bnjax.lab.probes.measures import MEASURES as MEASURES
from bnjax.lab.probes.moments import (
  mean as mean,
  norm as norm,
  root_mean_square as root_mean_square,
  saturated_fraction as saturated_fraction,
  standard_deviation as standard_deviation,
  variance as variance,
  zero_fraction as zero_fraction,
)
from bnjax.lab.probes.probe import Probe as Probe, make_probes as make_probes
from bnjax.lab.probes.rows import to_rows as to_rows
from bnjax.lab.probes.run import run_probes as run_probes
from bnjax.lab.probes.units import (
  dead_units as dead_units,
  effective_rank as effective_rank,
)
