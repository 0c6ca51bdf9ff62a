"""A config.json of before some field existed, with that field's default."""

from collections.abc import Mapping
from typing import Any

from bnjax.lab.config.fields import complete
from bnjax.lab.config.resolve import resolve_arms
from bnjax.lab.probes.probe import filled


def completed(record: Mapping[str, Any]) -> dict[str, Any]:
  """What a config.json says, and of all that it lacks the default.

  What was not there to be set is at its default, as all that nobody set. What
  is recorded stays, be it a default of then. Arguments of models, norms and so
  on are completed in the arms, and so are the fields of each probe.

  Args:
    record: what config.json holds: `config` and `arms`.

  Returns:
    The same with nothing lacking.

  Raises:
    UserError: it has a field that there is not (any more), or a value that
      cannot be.

  >>> from bnjax.lab.config import base
  >>> config = complete(base())
  >>> arms = resolve_arms(config)
  >>> del config["l2"], arms["batch_norm"]["norm"]["decay"]
  >>> found = completed({"config": config, "arms": arms})
  >>> found["config"]["l2"], found["arms"]["batch_norm"]["norm"]["decay"]
  (0.0, 0.99)
  """
  there = record.get("arms") or {}
  config = complete(record.get("config") or {})
  now = resolve_arms(config)
  arms = {arm: _over(now.get(arm, {}), own) for arm, own in there.items()}
  for own in arms.values():
    probes = own.get("probes") or {}
    own["probes"] = {name: filled(probe) for name, probe in probes.items()}
  return {**record, "config": config, "arms": arms}


def _over(
  defaults: Mapping[str, Any], recorded: Mapping[str, Any]
) -> dict[str, Any]:
  """What is recorded, and in its place what is not."""
  found = {**defaults, **recorded}
  for key, own in recorded.items():
    default = defaults.get(key)
    if isinstance(own, Mapping) and isinstance(default, Mapping):
      found[key] = _over(default, own)
  return found
