"""Whole Flax NNX models: recalibrate, fold, and label their batch norms."""

from bnjax.linen_tools.nnx.fold import Folded as Folded, fold as fold
from bnjax.linen_tools.nnx.labels import norm_labels as norm_labels
from bnjax.linen_tools.nnx.recalibrate import (
  recalibrate as recalibrate,
  recalibrate_stacked as recalibrate_stacked,
)
