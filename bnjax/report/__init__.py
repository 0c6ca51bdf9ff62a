"""The report of a run, drawn from its work directory alone; needs no JAX."""

from bnjax.report.collection import Collection, write_page
from bnjax.report.document import Report, write_report
from bnjax.report.export import Exported, export_run
from bnjax.report.gallery import Gallery, write_gallery
from bnjax.report.paper import write_figures
from bnjax.report.render import Table, print_tables
from bnjax.report.tables import summary_tables

__all__ = [
  "Collection",
  "Exported",
  "Gallery",
  "Report",
  "Table",
  "export_run",
  "print_tables",
  "summary_tables",
  "write_figures",
  "write_gallery",
  "write_page",
  "write_report",
]
