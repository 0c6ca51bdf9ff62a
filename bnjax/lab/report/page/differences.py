"""Where the configs of the arms differ."""

from collections.abc import Mapping
from typing import Any

from bnjax.lab.report.render import NONE, Table
from bnjax.lab.results.points import flat
from bnjax.lab.results.settings import arm_names


def differences(config: Mapping[str, Any]) -> Table:
  """A table of the fields in which arms differ: an arm a row.

  A field that an arm does not set has the value of the config around the arms.
  """
  arms = config.get("arms") or {}
  base = flat({key: v for key, v in config.items() if key != "arms"})
  own = {name: flat(arms[name] or {}) for name in arm_names(config, [])}
  fields = {
    field: [_text(found.get(field, base.get(field))) for found in own.values()]
    for field in dict.fromkeys(f for found in own.values() for f in found)
  }
  fields = {
    field: cells for field, cells in fields.items() if len({*cells}) > 1
  }
  rows = tuple(zip(own, *fields.values(), strict=True)) if fields else ()
  return Table("", ("arm", *fields), rows)


def _text(value: Any) -> str:
  if value is None:
    return NONE
  return f"{value:g}" if isinstance(value, float) else str(value)
