"""Reads the rules of a config, and says in one line what is wrong with them."""

import dataclasses
import math
from collections.abc import Iterable, Mapping
from typing import Any

from bnjax.results.rules import (
  DIRECTIONS,
  Claim,
  PublishedCurve,
  PublishedNumber,
)

_OPTIONAL = ("std", "tolerance")


def _build(kind: type, path: str, fields: Any, **known: str) -> Any:
  """Makes a rule of a config's mapping; errors name the field."""
  if not isinstance(fields, Mapping):
    raise ValueError(f"{path} is {fields!r}, but should be a mapping")
  own = [f for f in dataclasses.fields(kind) if f.name not in known]
  names = [field.name for field in own]
  for name in fields:
    if name not in names:
      raise ValueError(f"{path}.{name} is unknown; valid: {', '.join(names)}")
  for field in own:
    if field.default is dataclasses.MISSING and field.name not in fields:
      raise ValueError(f"{path}.{field.name} is missing")
  for name in ("mean", "std", "tolerance", "margin"):
    value = fields.get(name)
    if name not in fields or (value is None and name in _OPTIONAL):
      continue
    if not isinstance(value, int | float) or not _is_number(value):
      raise ValueError(f"{path}.{name} is {value!r}, but should be a number")
    if name != "mean" and value < 0:
      raise ValueError(f"{path}.{name} is {value}, but should be at least 0")
  return kind(**known, **fields)


def _is_number(value: Any) -> bool:
  return (
    isinstance(value, int | float)
    and not isinstance(value, bool)
    and math.isfinite(value)
  )


def _curve(path: str, fields: Mapping[str, Any], **known: str) -> Any:
  curve = _build(PublishedCurve, path, fields, **known)
  for name in ("steps", "values"):
    series = getattr(curve, name)
    if not isinstance(series, list | tuple) or not all(map(_is_number, series)):
      raise ValueError(f"{path}.{name} should be a list of numbers")
  steps, values = tuple(curve.steps), tuple(curve.values)
  if len(steps) != len(values) or not steps:
    raise ValueError(f"{path} has {len(steps)} steps, but {len(values)} values")
  return dataclasses.replace(curve, steps=steps, values=values)


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
    for metric, fields in metrics.items():
      path = f"published.{arm}.{metric}"
      if isinstance(fields, Mapping) and "values" in fields:
        lines.append(_curve(path, fields, arm=arm, metric=metric))
      else:
        number = _build(PublishedNumber, path, fields, arm=arm, metric=metric)
        numbers.append(number)
  return numbers, lines


def claims(config: Mapping[str, Any]) -> list[Claim]:
  """The claims of a config; raises as `published` does."""
  found = []
  for name, fields in (config.get("claims") or {}).items():
    claim = _build(Claim, f"claims.{name}", fields, name=name)
    if claim.direction not in DIRECTIONS:
      raise ValueError(
        f"claims.{name}.direction is {claim.direction!r}; valid: "
        + ", ".join(DIRECTIONS)
      )
    if not isinstance(claim.versus, str) and not _is_number(claim.versus):
      raise ValueError(
        f"claims.{name}.versus is {claim.versus!r}, but should be an arm or "
        "a number"
      )
    found.append(claim)
  return found


def check_rules(config: Mapping[str, Any]) -> None:
  """Checks a config's rules before training, arms they name included.

  Raises:
    ValueError: as `published`, or an arm is named that `config.arms` lacks.
  """
  arms = list(config.get("arms") or {})
  numbers, lines = published(config)
  named = [(f"published.{number.arm}", number.arm) for number in numbers]
  named += [(f"published.{line.arm}", line.arm) for line in lines]
  for claim in claims(config):
    named.append((f"claims.{claim.name}.arm", claim.arm))
    if isinstance(claim.versus, str):
      named.append((f"claims.{claim.name}.versus", claim.versus))
  _check_arms(named, arms)


def _check_arms(named: Iterable[tuple[str, str]], arms: list[str]) -> None:
  for path, arm in named:
    if arm not in arms:
      raise ValueError(
        f"{path} names no arm: {arm!r}; valid: {', '.join(arms) or 'none'}"
      )
