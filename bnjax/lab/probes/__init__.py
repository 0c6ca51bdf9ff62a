"""Probes: measures of the outputs, gradients and parameters of any layer.

`MEASURES` are functions of an array (those of `whole`: of an update, of the
loss as a function, or of the classifier), `capture` shows what flows through
any Flax linen model, forward and back, and `make_probes` with `run_probes` puts
both together as a config describes it.
"""

from bnjax.lab.probes.along import (
  autocorrelation as autocorrelation,
  values as values,
)
from bnjax.lab.probes.capture import Captured as Captured, capture as capture
from bnjax.lab.probes.classifier import (
  Classifier as Classifier,
  accuracy as accuracy,
  attacked_accuracy as attacked_accuracy,
)
from bnjax.lab.probes.distributions import (
  Histogram as Histogram,
  LogHistogram as LogHistogram,
  histogram as histogram,
  log10_histogram as log10_histogram,
  percentiles as percentiles,
)
from bnjax.lab.probes.drift import (
  Pair as Pair,
  mean_drift as mean_drift,
  variance_drift as variance_drift,
  wasserstein_drift as wasserstein_drift,
)
from bnjax.lab.probes.hessian import (
  Eigenpairs as Eigenpairs,
  hessian_product as hessian_product,
  output_mean_gradients as output_mean_gradients,
  share_in_span as share_in_span,
  top_eigenpairs as top_eigenpairs,
)
from bnjax.lab.probes.landscape import (
  AlongGradient as AlongGradient,
  along_direction as along_direction,
  along_gradient as along_gradient,
)
from bnjax.lab.probes.measures import MEASURES as MEASURES
from bnjax.lab.probes.modes import (
  Modes as Modes,
  dropout_variance_shift as dropout_variance_shift,
  variance_shift as variance_shift,
)
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
from bnjax.lab.probes.shift import (
  Shift as Shift,
  gradient_shifts as gradient_shifts,
  order_of as order_of,
)
from bnjax.lab.probes.units import (
  coherence as coherence,
  dead_units as dead_units,
  effective_rank as effective_rank,
  participation_ratio as participation_ratio,
)
