"""Records on disk, rules, aggregation over seeds, and verdicts.

NumPy, SciPy and pandas only: a work directory can be read, and
judged, on a machine without JAX.
"""

from bnjax.lab.results.aggregate import Curve, curves, diverged_steps
from bnjax.lab.results.checks import check_rules, fitting_rules
from bnjax.lab.results.figure_kinds import (
  Curves,
  Custom,
  Fan,
  Field,
  Figure,
  Final,
  HeatMap,
  Histograms,
  Layers,
  Percentiles,
  StepsTo,
  Strips,
)
from bnjax.lab.results.frame import frame, probe_frame, write_table
from bnjax.lab.results.grids import Grid, grids
from bnjax.lab.results.measured import Measured
from bnjax.lab.results.published import PublishedCurve, PublishedNumber
from bnjax.lab.results.recorded import (
  Recorded,
  digest,
  read_rules,
  write_rules,
)
from bnjax.lab.results.records import (
  append_rows,
  read_bytes,
  read_json,
  read_rows,
  to_strict,
  write_json,
)
from bnjax.lab.results.rules import Claim, Rules, greater, less, within
from bnjax.lab.results.schema import check_config, check_environment
from bnjax.lab.results.summary import summarize
from bnjax.lab.results.thin import thick, thin
from bnjax.lab.results.workdir import (
  SUMS,
  Workdir,
  check_sums,
  differences,
  read_predictions,
  read_workdir,
  write_summary,
)

__all__ = [
  "SUMS",
  "Claim",
  "Curve",
  "Curves",
  "Custom",
  "Fan",
  "Field",
  "Figure",
  "Final",
  "Grid",
  "HeatMap",
  "Histograms",
  "Layers",
  "Measured",
  "Percentiles",
  "PublishedCurve",
  "PublishedNumber",
  "Recorded",
  "Rules",
  "StepsTo",
  "Strips",
  "Workdir",
  "append_rows",
  "check_config",
  "check_environment",
  "check_rules",
  "check_sums",
  "curves",
  "differences",
  "digest",
  "diverged_steps",
  "fitting_rules",
  "frame",
  "greater",
  "grids",
  "less",
  "probe_frame",
  "read_bytes",
  "read_json",
  "read_predictions",
  "read_rows",
  "read_rules",
  "read_workdir",
  "summarize",
  "thick",
  "thin",
  "to_strict",
  "within",
  "write_json",
  "write_rules",
  "write_summary",
  "write_table",
]
