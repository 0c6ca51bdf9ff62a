"""Named data sets, as arrays: `load("mnist")`, `load("mnist", "binary")`.

NumPy only, and nothing of bnjax but its errors; the samplers that run inside
a compiled program are in `bnjax.data.batches`. What is too large for memory is
read while it is used: `open_records`, `bnjax.data.stream`, `bnjax.data.device`.
"""

from bnjax.data.dataset import Dataset, Spec, Split
from bnjax.data.registry import DATASETS, load, open_records, sizes
from bnjax.data.transforms import TRANSFORMS

__all__ = [
  "DATASETS",
  "TRANSFORMS",
  "Dataset",
  "Spec",
  "Split",
  "load",
  "open_records",
  "sizes",
]
