"""Checks rules against a config: arms, metrics, probes, points of the grid."""

import dataclasses
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from bnjax.lab.results.figures import figures
from bnjax.lab.results.grids import BEST, LARGEST, TRAINED
from bnjax.lab.results.names import (
  AtBest,
  Metric,
  Name,
  Probe,
  parse_name,
  placed,
  recorded,
)
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
  arms, probes = (list(config.get(group) or {}) for group in ("arms", "probes"))
  named = list(_named(rules))
  for kind, path, arm in named:
    if kind == "arm" and arm not in arms:
      raise ValueError(
        f"{path} names no arm: {arm!r}; valid: {', '.join(arms) or 'none'}"
      )
  for name, figure in figures(rules, config).items():
    for metric in figure.recorded_metrics():
      if isinstance(parse_name(metric), Metric):
        _check_recorded(f"figures.{name}: ", metric, metrics)
  for kind, path, probe in named:
    if kind == "probe" and probe not in probes:
      raise ValueError(
        f"{path} is {probe!r}; valid: {', '.join(probes) or 'none'}"
      )
  for kind, path, metric in named:
    try:
      asked = parse_name(metric) if kind == "metric" else None
      if isinstance(asked, AtBest):
        asked = _at_first(asked, config)
      for found in recorded(asked) if asked else ():
        if isinstance(found, Metric):
          _check_metric(found, config, metrics)
        else:
          _check_probe(found, config)
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


def _named(rules: Rules) -> Iterator[tuple[str, str, str]]:
  """The kind of whatever is named (arm, probe, metric), where, and its name."""
  for published in rules.published:
    path = f"published.{published.arm}"
    metric = f"{path}.{published.metric}"
    yield "arm", f"{path}.arm", published.arm
    yield "metric", metric, published.metric
    if (other := getattr(published, "relative_to", None)) is not None:
      yield "arm", f"{metric}.relative_to", other
  for name, claim in rules.claims.items():
    yield "arm", f"claims.{name}.arm", claim.arm
    if isinstance(claim.versus, str):
      yield "arm", f"claims.{name}.versus", claim.versus
    yield "metric", f"claims.{name}.metric", claim.metric
    if claim.versus_metric is not None:
      yield "metric", f"claims.{name}.versus_metric", claim.versus_metric
  shown = {f"figures.{name}": own for name, own in rules.figures.items()}
  shown |= {f"tables.{name}": own for name, own in rules.tables.items()}
  for path, figure in shown.items():
    yield from (("arm", f"{path}.arms", arm) for arm in figure.arms)
    yield from (("metric", path, name) for name in figure.named_metrics())
    if (probe := getattr(figure, "probe", None)) is not None:
      yield "probe", f"{path}.probe", probe


def _at_first(name: AtBest, config: Mapping[str, Any]) -> Name:
  """What is asked for at the best point, at the first one."""
  axes = grid_axes(config)
  if not axes:
    raise ValueError("there is no grid, so no point of it is best")
  return placed(name.of, tuple((axis, axes[axis][0]) for axis in axes))


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
