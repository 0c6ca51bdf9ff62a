"""Records on disk, aggregation over seeds, and verdicts on published numbers.

Standard library, NumPy and SciPy only: a work directory can be read, and
judged, on a machine without JAX.
"""

from bnjax.lab.results.aggregate import Curve, curves, diverged_steps
from bnjax.lab.results.checks import check_rules
from bnjax.lab.results.measured import Measured
from bnjax.lab.results.records import (
  append_rows,
  read_json,
  read_rows,
  to_strict,
  write_json,
)
from bnjax.lab.results.summary import summarize
from bnjax.lab.results.thin import thick, thin
from bnjax.lab.results.workdir import (
  Workdir,
  differences,
  read_workdir,
  write_summary,
)

__all__ = [
  "Curve",
  "Measured",
  "Workdir",
  "append_rows",
  "check_rules",
  "curves",
  "differences",
  "diverged_steps",
  "read_json",
  "read_rows",
  "read_workdir",
  "summarize",
  "thick",
  "thin",
  "to_strict",
  "write_json",
  "write_summary",
]
