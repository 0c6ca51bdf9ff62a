"""Known defects of batch norm, measured in every library that is installed."""

from benchmarks.conformance.checks import CHECKS as CHECKS
from benchmarks.conformance.libraries import (
  LIBRARIES as LIBRARIES,
  OURS as OURS,
  load as load,
  versions as versions,
)
from benchmarks.conformance.outcome import (
  Check as Check,
  Outcome as Outcome,
  run as run,
)
from benchmarks.conformance.page import (
  Row as Row,
  failures as failures,
  measure as measure,
  parse as parse,
  to_markdown as to_markdown,
)
