"""Batch normalization as pure functions: arrays in, arrays out, jax only."""

from bnjax.ops.batch_norm import batch_norm as batch_norm
from bnjax.ops.moments import Moments as Moments
from bnjax.ops.moments import batch_moments as batch_moments
from bnjax.ops.moments import merge_moments as merge_moments
from bnjax.ops.normalize import normalize as normalize
