"""The report of a run, drawn from its work directory alone; needs no JAX.

What was measured becomes numbers in tables and marks in figures (`kinds`,
`marks`), which `on_paper` draws in files and `on_page` on a page of HTML.
"""

from bnjax.lab.report.claimed import write_claims
from bnjax.lab.report.collection import Collection, write_page
from bnjax.lab.report.document import Report, write_figures, write_report
from bnjax.lab.report.export import Exported, export_run
from bnjax.lab.report.gallery import write_gallery
from bnjax.lab.report.printed import print_summary
from bnjax.lab.report.render import Table, print_tables
from bnjax.lab.report.tables import summary_tables

__all__ = [
  "Collection",
  "Exported",
  "Report",
  "Table",
  "export_run",
  "print_summary",
  "print_tables",
  "summary_tables",
  "write_claims",
  "write_figures",
  "write_gallery",
  "write_page",
  "write_report",
]
