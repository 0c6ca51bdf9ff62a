"""Whole Flax linen models: recalibrate, fold, and label their batch norms."""

from bnjax.tools.fold import (
  Folded as Folded,
  apply_folded as apply_folded,
  fold as fold,
)
from bnjax.tools.labels import norm_labels as norm_labels
from bnjax.tools.recalibrate import (
  recalibrate as recalibrate,
  recalibrate_stacked as recalibrate_stacked,
)
