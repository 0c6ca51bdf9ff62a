"""Whether two config.json train the same, be one of an earlier version."""

import contextlib
from collections.abc import Mapping
from typing import Any

from bnjax.lab import results
from bnjax.lab.config import completed
from bnjax.lab.errors import UserError
from bnjax.lab.registry import is_outside


def compared(
  old: Mapping[str, Any], new: Mapping[str, Any], grows: bool = False
) -> list[str]:
  """Where what two config.json train differs, one line a field.

  What one of them was written too early to have is at its default.

  Args:
    old: what config.json held.
    new: what it would hold now.
    grows: whether to leave out the points and the seeds.
  """
  old, new = results.to_strict(old), results.to_strict(new)
  found = results.differences(trained(old, grows), trained(new, grows))
  # Completing imports what is named, so nothing that the new one does not name.
  if found and _outside(old) <= _outside(new):
    with contextlib.suppress(UserError):  # what cannot be completed is other
      whole = lambda one: trained(results.to_strict(completed(one)), grows)
      found = results.differences(whole(old), whole(new))
  return found


def _outside(value: Any) -> set[str]:
  """All code from outside that a record names, "package.module:object"."""
  if isinstance(value, Mapping | list):
    parts = value.values() if isinstance(value, Mapping) else value
    return set().union(*map(_outside, parts))
  return {value} if is_outside(value) else set()


def trained(record: Mapping[str, Any], grows: bool = False) -> dict[str, Any]:
  """Of a config.json, what is trained: each arm, complete, at each point.

  Whoever set what, and what the machine allowed, is no part of it.

  Args:
    record: what config.json holds.
    grows: whether to leave out the points and the seeds.

  >>> trained({"config": {"grid": {}, "machine": {}}, "arms": {"a": {}}})
  {'arms': {'a': {}}, 'grid': {}, 'points': []}
  """
  config = record.get("config") or {}
  arms = record.get("arms")
  if grows:
    return {
      "arms": {
        arm: {k: v for k, v in own.items() if k not in ("seed", "seeds")}
        for arm, own in (arms or {}).items()
      }
    }
  shared = ("grid", "interleave")
  return {
    "arms": arms,
    **{field: config[field] for field in shared if field in config},
    "points": config.get("points") or [],
  }
