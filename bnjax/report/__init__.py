"""The report of a run, drawn from its work directory alone; needs no JAX."""

from bnjax.report.document import Report, write_report
from bnjax.report.render import Table, print_tables
from bnjax.report.tables import summary_tables

__all__ = ["Report", "Table", "print_tables", "summary_tables", "write_report"]
