"""What an experiment would train and about how long, without training it."""

from bnjax.lab.experiment.dry_run.estimate import DryRun, estimate
from bnjax.lab.experiment.dry_run.tables import config_lines, to_tables

__all__ = ["DryRun", "config_lines", "estimate", "to_tables"]
