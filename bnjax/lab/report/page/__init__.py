"""The page of one run or of many: one HTML file that needs no other.

Figures are made as marks and given to Plotly, which is part of the file;
`templates` has the rest.
"""

from bnjax.lab.report.page.document import (
  GENERATOR,
  MISSING,
  make_page,
  plotly,
)
from bnjax.lab.report.page.experiment import Experiment, read_experiment

__all__ = [
  "GENERATOR",
  "MISSING",
  "Experiment",
  "make_page",
  "plotly",
  "read_experiment",
]
