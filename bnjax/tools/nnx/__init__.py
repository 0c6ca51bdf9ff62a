"""Whole Flax NNX models: recalibrate, fold, and label their batch norms."""

from bnjax.tools.nnx.fold import Folded as Folded, fold as fold
from bnjax.tools.nnx.labels import norm_labels as norm_labels
from bnjax.tools.nnx.recalibrate import (
  recalibrate as recalibrate,
  recalibrate_stacked as recalibrate_stacked,
)
