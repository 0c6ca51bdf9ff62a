"""Batch normalization as pure functions: arrays in, arrays out, jax only."""

from bnjax.ops.apply import apply_batch_norm as apply_batch_norm
from bnjax.ops.batch_norm import batch_norm as batch_norm
from bnjax.ops.folding import fold_conv as fold_conv
from bnjax.ops.folding import fold_dense as fold_dense
from bnjax.ops.moments import Moments as Moments
from bnjax.ops.moments import batch_moments as batch_moments
from bnjax.ops.moments import merge_moments as merge_moments
from bnjax.ops.normalize import normalize as normalize
from bnjax.ops.population import population_moments as population_moments
from bnjax.ops.population import (
  population_moments_stacked as population_moments_stacked,
)
from bnjax.ops.rules import PRESETS as PRESETS
from bnjax.ops.rules import RULES as RULES
from bnjax.ops.rules import Preset as Preset
from bnjax.ops.rules import Rule as Rule
from bnjax.ops.rules import cumulative as cumulative
from bnjax.ops.rules import debiased_ema as debiased_ema
from bnjax.ops.rules import ema as ema
from bnjax.ops.running import Running as Running
from bnjax.ops.running import empty_moments as empty_moments
from bnjax.ops.running import init_running as init_running
from bnjax.ops.running import update_running as update_running
