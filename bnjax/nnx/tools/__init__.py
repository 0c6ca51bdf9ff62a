"""Whole Flax NNX models: recalibrate, fold, and label their batch norms."""

from bnjax.nnx.tools.fold import Folded as Folded, fold as fold
from bnjax.nnx.tools.labels import norm_labels as norm_labels
from bnjax.nnx.tools.recalibrate import (
  recalibrate as recalibrate,
  recalibrate_stacked as recalibrate_stacked,
)
