"""A group of a config, such as `norm`, is a name and the arguments it takes.

Every table of the project (norms, optimizers, initializers, models) maps a
name to a function; this module finds the function and checks the arguments.
"""

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from bnjax.lab.errors import UserError, choice


def accepted_arguments(function: Callable[..., Any]) -> tuple[str, ...]:
  """The names of the keyword arguments that `function` takes."""
  kinds = (
    inspect.Parameter.POSITIONAL_OR_KEYWORD,
    inspect.Parameter.KEYWORD_ONLY,
  )
  parameters = inspect.signature(function).parameters.values()
  return tuple(p.name for p in parameters if p.kind in kinds)


def lookup(
  field: str, name: Any, table: Mapping[str, Callable[..., Any]]
) -> Callable[..., Any]:
  """The entry of `table` that the config's `field` names.

  Raises:
    UserError: no entry has this name; the message lists those that exist.
  """
  return table[choice(field, name, table)]


def select_arguments(
  field: str,
  group: Mapping[str, Any],
  table: Mapping[str, Callable[..., Any]],
  explicit: frozenset[str] = frozenset(),
) -> dict[str, Any]:
  """The arguments of `group` that the function it names takes.

  A config may hold arguments of several entries side by side (`b1` of adam,
  `momentum` of sgd), so that changing the name alone is enough; those that the
  chosen one does not take are left out, unless the user set them.

  Args:
    field: name of the group in the config, for messages.
    group: a mapping with a `name` and arguments.
    table: the entries that `name` may choose.
    explicit: arguments that the user or an arm set, as opposed to the file.

  Raises:
    UserError: the name is unknown, or an argument in `explicit` is not one
      that the chosen entry takes.
  """
  name = group["name"]
  accepted = accepted_arguments(lookup(f"{field}.name", name, table))
  for argument in sorted(explicit - {"name"}):
    if argument not in accepted:
      takes = ", ".join(accepted) or "no arguments"
      raise UserError(
        f"{field}.{argument}: {field}.name={name!r} does not take it; "
        f"it takes {takes}"
      )
  return {k: v for k, v in group.items() if k in accepted and k != "name"}
