"""The groups of a config: each a name and the arguments of what it names."""

import functools
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from bnjax.lab import registry
from bnjax.lab.models import MODELS, NORMS
from bnjax.lab.train.augment import AUGMENTATIONS
from bnjax.lab.train.losses import LOSSES
from bnjax.lab.train.optim import OPTIMIZERS
from bnjax.lab.train.schedules import SCHEDULES


class Group(NamedTuple):
  """What a group may name.

  Attributes:
    table: entries by name; others are "package.module:object".
    given: arguments that no config sets: training gives them.
  """

  table: Mapping[str, Callable[..., Any]]
  given: tuple[str, ...] = ()


GROUPS = {
  "model": Group(MODELS, ("num_classes", "norm")),
  "norm": Group(NORMS),
  "optimizer": Group(OPTIMIZERS),
  "schedule": Group(SCHEDULES, ("steps",)),
  "augment": Group(AUGMENTATIONS),
  "loss": Group(LOSSES),
}


def entry(group: str, name: Any) -> Callable[..., Any]:
  """What a group's name names.

  Raises:
    UserError: it names nothing.
  """
  found: Callable[..., Any] = registry.lookup(
    f"{group}.name", name, GROUPS[group].table
  )
  return found


def traceable(spec: Mapping[str, Any]) -> list[str]:
  """Dotted fields that networks of one program may each have a value of.

  `l2`, and the arguments that are annotated `Traced` by what the groups name.
  A 0 is none of them: a program without dropout has none.

  Args:
    spec: an arm's.
  """
  fields = ["l2"]
  for group in GROUPS:
    if group in spec:
      fields += [
        f"{group}.{argument}"
        for argument in _traced(group, spec[group]["name"])
        if isinstance(value := spec[group].get(argument), float) and value
      ]
  return fields


@functools.cache
def _traced(group: str, name: str) -> tuple[str, ...]:
  return registry.traced(entry(group, name))
