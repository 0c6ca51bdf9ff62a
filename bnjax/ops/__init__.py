"""Batch normalization as pure functions: arrays in, arrays out, jax only."""

from bnjax.ops.apply import apply_batch_norm as apply_batch_norm
from bnjax.ops.batch_norm import batch_norm as batch_norm
from bnjax.ops.covariance import (
  Covariance as Covariance,
  batch_covariance as batch_covariance,
  init_covariance as init_covariance,
  update_covariance as update_covariance,
)
from bnjax.ops.evonorm import evonorm_b0 as evonorm_b0, evonorm_s0 as evonorm_s0
from bnjax.ops.federated import merge_batch_stats as merge_batch_stats
from bnjax.ops.filter_response import (
  filter_response_norm as filter_response_norm,
)
from bnjax.ops.folding import fold_conv as fold_conv, fold_dense as fold_dense
from bnjax.ops.ghost import (
  ghost_batch_norm as ghost_batch_norm,
  merge_ghosts as merge_ghosts,
)
from bnjax.ops.l1 import l1_batch_norm as l1_batch_norm
from bnjax.ops.lp import lp_batch_norm as lp_batch_norm
from bnjax.ops.moments import (
  Moments as Moments,
  batch_moments as batch_moments,
  merge_moments as merge_moments,
)
from bnjax.ops.noisy import noisy_batch_norm as noisy_batch_norm
from bnjax.ops.normalize import normalize as normalize
from bnjax.ops.population import (
  population_moments as population_moments,
  population_moments_stacked as population_moments_stacked,
)
from bnjax.ops.renorm import (
  RenormLimits as RenormLimits,
  batch_renorm as batch_renorm,
  renorm_schedule as renorm_schedule,
)
from bnjax.ops.rules import (
  PRESETS as PRESETS,
  RULES as RULES,
  Preset as Preset,
  Rule as Rule,
  cumulative as cumulative,
  debiased_ema as debiased_ema,
  ema as ema,
)
from bnjax.ops.running import (
  empty_moments as empty_moments,
  update_running as update_running,
)
from bnjax.ops.siblings import (
  group_norm as group_norm,
  instance_norm as instance_norm,
  layer_norm as layer_norm,
  rms_norm as rms_norm,
)
from bnjax.ops.state import Running as Running, init_running as init_running
from bnjax.ops.weight_standardization import (
  standardize_kernel as standardize_kernel,
)
from bnjax.ops.whitening import (
  apply_whitening as apply_whitening,
  iter_norm as iter_norm,
  newton_matrix as newton_matrix,
  whiten as whiten,
  zca_matrix as zca_matrix,
)
