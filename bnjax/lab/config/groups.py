"""The groups of a config: each a name and the arguments of what it names."""

import difflib
import functools
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from bnjax.lab import registry
from bnjax.lab.errors import UserError, choice
from bnjax.lab.models import MODELS, NORMS
from bnjax.lab.train.augment import AUGMENTATIONS
from bnjax.lab.train.losses import LOSSES
from bnjax.lab.train.optim import OPTIMIZERS
from bnjax.lab.train.schedules import SCHEDULES


class Group(NamedTuple):
  """What a group may name."""

  # entries by name; others are "package.module:object"
  table: Mapping[str, Callable[..., Any]]
  # arguments that no config sets: training gives them
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


def check_field(field: str, key: str, known: Mapping[str, Any]) -> None:
  """Raises UserError, with the nearest name, for a field that there is not.

  Args:
    field: how messages call it.
    key: its name.
    known: a config, or what is to be one: also looked for in its groups.

  >>> check_field("config.l2_", "l2_", {"l2": 0.0})
  Traceback (most recent call last):
  bnjax.lab.errors.UserError: config.l2_: 'l2_' is not known; did you mean 'l2'?
  Choices: l2
  >>> check_field("lr_rate", "learning_rat", {"optimizer": {"name": "sgd"}})
  Traceback (most recent call last):
  bnjax.lab.errors.UserError: lr_rate: 'learning_rat' is not known; did you mean
  optimizer.learning_rate?
  """
  try:
    choice(field, key, known)
  except UserError:
    if difflib.get_close_matches(key, known, n=1):
      raise
    inside = {
      name: f"{group}.{name}"
      for group, own in known.items()
      if isinstance(own, Mapping) and group not in ("arms", "probes", "grid")
      for name in (*own, *_arguments(group))
      if name != "name"
    }
    near = difflib.get_close_matches(key, inside, n=1)
    if not near:
      raise
    raise UserError(
      f"{field}: {key!r} is not known; did you mean {inside[near[0]]}?"
    ) from None


@functools.cache
def _arguments(group: str) -> list[str]:
  """Those of all that a group may name; none of what is no such group."""
  found = GROUPS.get(group, Group({}))
  return [
    argument
    for takes in found.table.values()
    for argument in registry.parameters(takes, found.given)
  ]


def traceable(spec: Mapping[str, Any]) -> list[str]:
  """Dotted fields that networks of one program may each have a value of.

  `l2`, and the arguments that are annotated `Traced` by what the groups name.
  A 0 is none of them: a program without dropout has none.
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
