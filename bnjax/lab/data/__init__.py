"""Named data sets, as arrays: `load("mnist")`, `load("mnist", "binary")`.

NumPy only, and nothing of bnjax but its errors; the samplers that run inside
a compiled program are in `data.batches`. What is too large for memory is
read while it is used: `open_records`, `data.stream`.
"""

from bnjax.lab.data.dataset import Dataset, Spec, Split
from bnjax.lab.data.files import Files, check_streamed, open_files, open_records
from bnjax.lab.data.registry import DATASETS, load, sizes
from bnjax.lab.data.transforms import TRANSFORMS

__all__ = [
  "DATASETS",
  "TRANSFORMS",
  "Dataset",
  "Files",
  "Spec",
  "Split",
  "check_streamed",
  "load",
  "open_files",
  "open_records",
  "sizes",
]
