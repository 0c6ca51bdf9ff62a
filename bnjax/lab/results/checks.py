"""Checks rules against a config: arms, metrics, probes, points of the grid."""

import dataclasses
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from bnjax.lab.results.figure_kinds import Figure
from bnjax.lab.results.figures import figures
from bnjax.lab.results.grids import BEST, LARGEST, TRAINED
from bnjax.lab.results.names import Metric, Probe, parse_name, recorded
from bnjax.lab.results.points import grid_axes, same_value, short_names
from bnjax.lab.results.rules import Rules


def check_rules(
  rules: Rules, config: Mapping[str, Any], metrics: Collection[str] = ()
) -> None:
  """Checks that a run will have, or has, all that its rules ask for.

  Raises:
    ValueError: a rule names an arm, a grid's field or value, a probe or (of
      `metrics`, where they are given) a metric that the run will not have. The
      message is one line that names the field.
  """
  if grid_axes(config):
    _check_recorded("grid_metric: ", rules.grid_metric, metrics)
  arms = list(config.get("arms") or {})
  for path, arm in _named_arms(rules):
    if arm not in arms:
      raise ValueError(
        f"{path} names no arm: {arm!r}; valid: {', '.join(arms) or 'none'}"
      )
  drawn = figures(rules, config)
  for name, figure in drawn.items():
    for metric in figure.recorded_metrics():
      if isinstance(parse_name(metric), Metric):
        _check_recorded(f"figures.{name}: ", metric, metrics)
  probes = list(config.get("probes") or {})
  for path, probe in _named_probes(rules):
    if probe not in probes:
      raise ValueError(
        f"{path} is {probe!r}; valid: {', '.join(probes) or 'none'}"
      )
  for path, metric in _named_metrics(rules):
    try:
      for name in recorded(parse_name(metric)):
        if isinstance(name, Metric):
          _check_metric(name, config, metrics)
        else:
          _check_probe(name, config)
    except ValueError as error:
      raise ValueError(f"{path}: {error}") from None


def fitting_rules(rules: Rules, config: Mapping[str, Any]) -> Rules:
  """The rules without those that ask for what a run does not have.

  A sweep of a config has other points, and maybe fewer arms, than its rules
  name.
  """
  none = dataclasses.replace(
    rules, published=(), claims={}, figures={}, tables={}
  )

  def fits(**one: Any) -> bool:
    try:
      check_rules(dataclasses.replace(none, **one), config)
    except ValueError:
      return False
    return True

  named: dict[str, Any] = {
    field: {k: v for k, v in rules_of.items() if fits(**{field: {k: v}})}
    for field, rules_of in (
      ("claims", rules.claims),
      ("figures", rules.figures),
      ("tables", rules.tables),
    )
  }
  published = tuple(p for p in rules.published if fits(published=(p,)))
  return dataclasses.replace(none, published=published, **named)


def _named_arms(rules: Rules) -> Iterator[tuple[str, str]]:
  """Where an arm is named, and which."""
  for published in rules.published:
    yield f"published.{published.arm}.arm", published.arm
  for number in rules.numbers:
    if number.relative_to is not None:
      path = f"published.{number.arm}.{number.metric}.relative_to"
      yield path, number.relative_to
  for name, claim in rules.claims.items():
    yield f"claims.{name}.arm", claim.arm
    if isinstance(claim.versus, str):
      yield f"claims.{name}.versus", claim.versus
  for path, figure in _shown(rules):
    yield from ((f"{path}.arms", arm) for arm in figure.arms)


def _named_metrics(rules: Rules) -> Iterator[tuple[str, str]]:
  for published in rules.published:
    yield f"published.{published.arm}.{published.metric}", published.metric
  for name, claim in rules.claims.items():
    yield f"claims.{name}.metric", claim.metric
    if claim.versus_metric is not None:
      yield f"claims.{name}.versus_metric", claim.versus_metric
  for path, figure in _shown(rules):
    yield from ((path, metric) for metric in figure.named_metrics())


def _named_probes(rules: Rules) -> Iterator[tuple[str, str]]:
  for path, figure in _shown(rules):
    if (probe := getattr(figure, "probe", None)) is not None:
      yield f"{path}.probe", probe


def _shown(rules: Rules) -> Iterator[tuple[str, Figure]]:
  for name, figure in rules.figures.items():
    yield f"figures.{name}", figure
  for name, table in rules.tables.items():
    yield f"tables.{name}", table


def _check_metric(
  name: Metric, config: Mapping[str, Any], metrics: Collection[str]
) -> None:
  axes = grid_axes(config)
  metric = name.metric
  if name.point:
    _check_point(name.point, axes)
  elif axes:
    shorts = short_names(axes).values()
    derived = [TRAINED, *(LARGEST + short for short in shorts)]
    if metric.startswith(BEST):
      metric = metric.removeprefix(BEST)
    elif metric in derived:
      return
    else:
      raise ValueError(
        f"{metric} differs over the grid: name a point, such as "
        f"{_example(metric, axes)}, or one of {', '.join(derived)}, "
        f"{BEST}{metric}"
      )
  _check_recorded("", metric, metrics)


def _check_recorded(path: str, metric: str, metrics: Collection[str]) -> None:
  """Checks the name of a metric of the rows themselves."""
  if metrics and metric not in metrics:
    raise ValueError(
      f"{path}no run has {metric!r}; valid: {', '.join(sorted(metrics))}"
    )


def _example(metric: str, axes: Mapping[str, tuple[Any, ...]]) -> str:
  shorts = short_names(axes)
  parts = [f"{shorts[field]}={values[0]}" for field, values in axes.items()]
  return f"{metric}@{','.join(parts)}"


def _check_point(
  point: Iterable[tuple[str, Any]], axes: Mapping[str, tuple[Any, ...]]
) -> None:
  if not axes:
    raise ValueError("there is no grid, so a metric has no point")
  shorts = short_names(axes)
  known = dict(axes) | {shorts[field]: axes[field] for field in axes}
  for field, value in point:
    if field not in known:
      raise ValueError(
        f"the grid has no {field!r}; valid: {', '.join(shorts.values())}"
      )
    if not any(same_value(value, other) for other in known[field]):
      raise ValueError(
        f"the grid has no {field} {value!r}; valid: "
        + ", ".join(map(str, known[field]))
      )
  named = {field for field, _ in point}
  for field, values in axes.items():
    if len(values) > 1 and not named & {field, shorts[field]}:
      raise ValueError(f"the point lacks {shorts[field]}")


def _check_probe(name: Probe, config: Mapping[str, Any]) -> None:
  probes = list(config.get("probes") or {})
  if name.probe not in probes:
    raise ValueError(
      f"no probe is called {name.probe!r}; valid: {', '.join(probes) or 'none'}"
    )
  axes = grid_axes(config)
  if name.point or axes:
    _check_point(name.point, axes)
