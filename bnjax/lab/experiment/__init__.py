"""A config becomes records: plan, check, train, resume."""

from bnjax.lab.experiment.engine import prepare as prepare, run as run
