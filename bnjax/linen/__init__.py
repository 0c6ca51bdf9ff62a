"""Normalizations as Flax linen modules, in place of Flax's own and besides.

All are called alike, `norm(x, use_running_average, mask=mask)`, so that a model
can take a partial of any of them.
"""

from bnjax.linen.batch_norm import BatchNorm
from bnjax.linen.batch_renorm import BatchRenorm
from bnjax.linen.evonorm import EvoNormB0, EvoNormS0
from bnjax.linen.feature_norm import FeatureNorm
from bnjax.linen.filter_response_norm import FilterResponseNorm
from bnjax.linen.ghost_batch_norm import GhostBatchNorm
from bnjax.linen.group_norm import GroupNorm
from bnjax.linen.instance_norm import InstanceNorm
from bnjax.linen.l1_batch_norm import L1BatchNorm
from bnjax.linen.layer_norm import LayerNorm
from bnjax.linen.lp_batch_norm import LpBatchNorm
from bnjax.linen.noisy_batch_norm import NoisyBatchNorm
from bnjax.linen.rms_norm import RMSNorm
from bnjax.linen.weight_standardization import WeightStandardization
from bnjax.linen.whitening import IterNorm, Whitening

__all__ = [
  "BatchNorm",
  "BatchRenorm",
  "EvoNormB0",
  "EvoNormS0",
  "FeatureNorm",
  "FilterResponseNorm",
  "GhostBatchNorm",
  "GroupNorm",
  "InstanceNorm",
  "IterNorm",
  "L1BatchNorm",
  "LayerNorm",
  "LpBatchNorm",
  "NoisyBatchNorm",
  "RMSNorm",
  "WeightStandardization",
  "Whitening",
]
