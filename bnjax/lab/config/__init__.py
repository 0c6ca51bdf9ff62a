"""What is trained: every field and its default, and from there to a task."""

from bnjax.lab.config.completed import completed
from bnjax.lab.config.declared import MOST_NETWORKS, Seed
from bnjax.lab.config.fields import (
  NO_NORM,
  Options,
  base,
  complete,
  finish,
  log_space,
  parse,
  plain,
)
from bnjax.lab.config.groups import GROUPS, traceable
from bnjax.lab.config.resolve import (
  NOT_FOR_ARMS,
  override,
  resolve,
  resolve_arms,
  switched,
)
from bnjax.lab.config.task import has_schedule, learning_rate, make_task

__all__ = [
  "GROUPS",
  "MOST_NETWORKS",
  "NOT_FOR_ARMS",
  "NO_NORM",
  "Options",
  "Seed",
  "base",
  "complete",
  "completed",
  "finish",
  "has_schedule",
  "learning_rate",
  "log_space",
  "make_task",
  "override",
  "parse",
  "plain",
  "resolve",
  "resolve_arms",
  "switched",
  "traceable",
]
