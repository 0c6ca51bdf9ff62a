"""The fields of a config as each arm has them."""

from collections.abc import Iterable, Mapping
from typing import Any

from bnjax.lab.results.order import in_order


def arm_names(config: Mapping[str, Any], recorded: Iterable[str]) -> list[str]:
  """The arms in the config's order, then any that were recorded alone."""
  return list(dict.fromkeys([*in_order(config.get("arms") or {}), *recorded]))


def setting(config: Mapping[str, Any], arm: str, *path: str) -> Any:
  """A field as one arm has it: its own override, or the config's value.

  >>> setting({"steps": 10, "arms": {"long": {"steps": 20}}}, "long", "steps")
  20
  """
  for place in ((config.get("arms") or {}).get(arm), config):
    value: Any = place
    for key in path:
      value = value.get(key) if isinstance(value, Mapping) else None
    if value is not None:
      return value
  return None
