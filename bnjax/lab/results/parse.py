"""Reads the rules of a config, and says in one line what is wrong with them."""

import dataclasses
import math
import statistics
from collections.abc import Mapping
from typing import Any

from bnjax.lab.results.names import parse_name
from bnjax.lab.results.order import in_order
from bnjax.lab.results.points import is_number
from bnjax.lab.results.rules import (
  DIRECTIONS,
  RATIOS,
  Claim,
  PublishedCurve,
  PublishedNumber,
)

_NUMBERS = ("mean", "std", "tolerance", "margin", "low", "high")
_OPTIONAL = ("std", "tolerance", "low", "high")


def published(
  config: Mapping[str, Any],
) -> tuple[list[PublishedNumber], list[PublishedCurve]]:
  """The published numbers and curves of a config.

  Raises:
    ValueError: a field is missing, unknown or of the wrong kind; the one-line
      message names it.
  """
  numbers, lines = [], []
  for arm, metrics in (config.get("published") or {}).items():
    if not isinstance(metrics, Mapping):
      raise ValueError(f"published.{arm} should be a mapping of metrics")
    for key, fields in metrics.items():
      path = f"published.{arm}.{key}"
      own = dict(mapping(path, fields))
      known = {"arm": arm, "metric": own.pop("metric", key)}
      check_name(path, known["metric"])
      if "steps" in own:
        lines.append(_curve(path, own, **known))
      else:
        numbers.append(_number(path, own, **known))
  return numbers, lines


def claims(config: Mapping[str, Any]) -> list[Claim]:
  """The claims of a config; raises as `published` does."""
  found = config.get("claims") or {}
  return [_claim(n, f"claims.{n}", found[n]) for n in in_order(found)]


def mapping(path: str, fields: Any) -> Mapping[str, Any]:
  """`fields`, if it is a mapping; otherwise a ValueError that names it."""
  if not isinstance(fields, Mapping):
    raise ValueError(f"{path} is {fields!r}, but should be a mapping")
  return fields


def check_name(path: str, name: Any) -> None:
  """Raises a ValueError that names the field where `name` is no metric."""
  try:
    parse_name(name)
  except ValueError as error:
    raise ValueError(f"{path}: {error}") from None


def build(kind: type, path: str, fields: Any, **known: str) -> Any:
  """Makes a rule of a config's mapping; errors name the field.

  Args:
    kind: the rule's dataclass.
    path: the mapping's dotted name.
    fields: the mapping.
    **known: fields of the rule that the mapping does not hold.
  """
  fields = mapping(path, fields)
  own = [f for f in dataclasses.fields(kind) if f.name not in known]
  names = [field.name for field in own]
  for name in fields:
    if name not in names:
      raise ValueError(f"{path}.{name} is unknown; valid: {', '.join(names)}")
  for field in own:
    absent = field.default is dataclasses.MISSING and field.name not in fields
    if absent and field.default_factory is dataclasses.MISSING:
      raise ValueError(f"{path}.{field.name} is missing")
  for name in _NUMBERS:
    value = fields.get(name)
    if name not in fields or (value is None and name in _OPTIONAL):
      continue
    if not is_number(value):
      raise ValueError(f"{path}.{name} is {value!r}, but should be a number")
    if name not in ("mean", "low", "high") and value < 0:
      raise ValueError(f"{path}.{name} is {value}, but should be at least 0")
  return kind(**known, **fields)


def numbers_of(path: str, values: Any) -> tuple[float, ...]:
  """A list of numbers as a tuple; otherwise a ValueError that names it."""
  if not isinstance(values, list | tuple) or not all(map(is_number, values)):
    raise ValueError(f"{path} should be a list of numbers")
  return tuple(values)


def _curve(path: str, fields: dict[str, Any], **known: str) -> Any:
  for name in ("steps", "values"):
    if name in fields:
      fields[name] = numbers_of(f"{path}.{name}", fields[name])
  curve = build(PublishedCurve, path, fields, **known)
  steps, values = len(curve.steps), len(curve.values)
  if steps != values or not steps:
    raise ValueError(f"{path} has {steps} steps, but {values} values")
  return curve


def _number(path: str, fields: dict[str, Any], **known: str) -> Any:
  ways = [way for way in ("mean", "values", "low", "high") if way in fields]
  if len(ways) > 1 and ways != ["low", "high"]:
    raise ValueError(
      f"{path} has {' and '.join(ways)}: give mean, or values, or low and high"
    )
  if "values" in ways:
    fields |= _runs(path, fields)
  elif ways in (["low"], ["high"]):
    other = {"low": "high", "high": "low"}[ways[0]]
    raise ValueError(f"{path} has {ways[0]}, but no {other}")
  elif ways == ["low", "high"]:
    build(PublishedNumber, path, {**fields, "mean": 0.0}, **known)
    fields |= _range(path, fields)
  number = build(PublishedNumber, path, fields, **known)
  least = min((number.mean, *number.values))
  if number.relative_to is not None and least <= 0:
    raise ValueError(f"{path} is a ratio and should be above 0")
  return number


def _runs(path: str, fields: Mapping[str, Any]) -> dict[str, Any]:
  """What `values` say: their mean, standard deviation and count."""
  values = numbers_of(f"{path}.values", fields["values"])
  if not values:
    raise ValueError(f"{path}.values should be a list of numbers")
  for name in ("std", "seeds"):
    if name in fields:
      raise ValueError(f"{path}.{name} follows from values; leave it out")
  positive = fields.get("relative_to") is not None and min(values) > 0
  middle = statistics.geometric_mean if positive else statistics.fmean
  return {
    "values": values,
    "mean": middle(values),
    "std": statistics.pstdev(values),
    "seeds": len(values),
  }


def _range(path: str, fields: Mapping[str, Any]) -> dict[str, Any]:
  """A range: its middle, and half of its width as tolerance."""
  low, high = fields["low"], fields["high"]
  if low > high:
    raise ValueError(f"{path}.low is {low}, which is above high, {high}")
  return {
    "mean": (low + high) / 2,
    "tolerance": (high - low) / 2 + (fields.get("tolerance") or 0.0),
  }


def _claim(name: str, path: str, fields: Any) -> Claim:
  fields = dict(mapping(path, fields))
  ratio = fields.get("direction") in RATIOS
  if ratio:
    fields.setdefault("margin", 1.0)
  claim = build(Claim, path, fields, name=name)
  if claim.direction not in DIRECTIONS:
    raise ValueError(
      f"{path}.direction is {claim.direction!r}; valid: {', '.join(DIRECTIONS)}"
    )
  if ratio and claim.margin < 1:
    raise ValueError(
      f"{path}.margin is {claim.margin}, but is the factor of a ratio and "
      "should be at least 1"
    )
  versus = claim.versus
  if versus is None and claim.versus_metric is None:
    raise ValueError(
      f"{path}.versus is None, but should be an arm or a number, or "
      "versus_metric a metric of the same arm"
    )
  if not isinstance(versus, str | None) and not is_number(versus):
    raise ValueError(
      f"{path}.versus is {versus!r}, but should be an arm or a number"
    )
  if is_number(versus):
    if claim.versus_metric is not None:
      raise ValueError(f"{path}.versus is a number and has no versus_metric")
    if ratio and float(versus or 0) <= 0:
      raise ValueError(f"{path}.versus is {versus}: a ratio needs more than 0")
  check_name(f"{path}.metric", claim.metric)
  if claim.versus_metric is not None:
    check_name(f"{path}.versus_metric", claim.versus_metric)
  if claim.step is not None and not _is_step(claim.step):
    raise ValueError(f"{path}.step is {claim.step!r}, but should be a step")
  return claim


def _is_step(value: Any) -> bool:
  return is_number(value) and value >= 0 and math.floor(value) == value
