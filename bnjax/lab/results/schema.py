"""Types of the fields of records, checked as they are read.

A file that somebody changed, or that was damaged, is then told in one line.
"""

from collections.abc import Mapping
from typing import Any

_WORDS = {Mapping: "an object", list: "a list", str: "a text", int: "a count"}

_ARM = {
  "dataset": Mapping,
  "steps": int,
  "seeds": int,
  "batch_size": int,
}
_CONFIG = {**_ARM, "arms": Mapping, "grid": Mapping, "probes": Mapping}
_DATASET = {"name": str, "label": str, "digest": str, "train": int}


def check_config(record: Mapping[str, Any]) -> None:
  """Raises ValueError if a config.json is not as readers take it."""
  config: Any = record.get("config")
  _check("config.json: config", config, _CONFIG)
  _check("config.json", record, {"arms": Mapping})
  for arm, own in (record.get("arms") or {}).items():
    _check(f"arms.{arm}", own, _ARM)
  for arm, own in (config.get("arms") or {}).items():
    _check(f"config.arms.{arm}", own or {}, _ARM)
  for group in (config, *(config.get("arms") or {}).values()):
    _check("config.dataset", (group or {}).get("dataset") or {}, {"name": str})
  for name, probe in (config.get("probes") or {}).items():
    _check(f"config.probes.{name}", probe, {})


def check_environment(environment: Mapping[str, Any]) -> None:
  """Raises ValueError if an environment.json is not as readers take it."""
  _check("environment.json", environment, {"datasets": list, "devices": list})
  for dataset in environment.get("datasets") or []:
    _check("environment.json: datasets", dataset, _DATASET)


def check_failed(failed: Mapping[str, Any]) -> None:
  """Raises ValueError if a failed.json is not as readers take it."""
  _check("failed.json", failed, {"failed": list})
  for network in failed.get("failed") or []:
    _check("failed.json: failed", network, {"error": str})


def check_prediction(row: Any) -> None:
  """Raises ValueError if a row of predictions is not as readers take it."""
  name = "a row of predictions"
  _check(
    name, row, {"index": int, "label": int, "arms": Mapping, "image": list}
  )
  for own in (row, *(row.get("arms") or {}).values()):
    _check(name, own, {"prediction": int})
    for field in ("disagreement", "confidence", "right"):
      value = own.get(field, 0.0)
      if type(value) not in (int, float) or not 0 <= value <= 1 + 1e-6:
        raise ValueError(f"{name} has {field} {value!r:.60}, not from 0 to 1")


def _check(name: str, record: Any, fields: Mapping[str, Any]) -> None:
  if not isinstance(record, Mapping):
    raise ValueError(f"{name} is {record!r:.60}, not an object")
  for field, kind in fields.items():
    value: Any = record.get(field)
    fits = isinstance(value, kind) and not isinstance(value, bool)
    if fits and kind is int:
      fits = 0 <= value < 2**63
    if value is not None and not fits:
      raise ValueError(f"{name}: {field} is {value!r:.60}, not {_WORDS[kind]}")
