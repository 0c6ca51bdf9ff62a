"""The page of one run or of many: one HTML file that needs no other.

Python gathers what there is to show as JSON and writes the tables; the scripts
in `bnjax/lab/report/static` draw it with Plotly, which is part of the file.
"""

from bnjax.lab.report.page.document import make_page
from bnjax.lab.report.page.experiment import Experiment, read_experiment

__all__ = ["Experiment", "make_page", "read_experiment"]
