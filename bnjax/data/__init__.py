"""Named data sets, as arrays: `load("mnist")`, `load("mnist", "binary")`.

NumPy only, and nothing of bnjax but its errors; the samplers that run inside
a compiled program are in `bnjax.data.batches`.
"""

from bnjax.data.dataset import Dataset, Spec, Split
from bnjax.data.registry import DATASETS, load, sizes
from bnjax.data.transforms import TRANSFORMS

__all__ = [
  "DATASETS",
  "TRANSFORMS",
  "Dataset",
  "Spec",
  "Split",
  "load",
  "sizes",
]
