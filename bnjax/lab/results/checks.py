"""Finds what is wrong with a config's rules before anything is trained."""

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from bnjax.lab.results.figures import (
  figures,
  layer_tables,
  named_metrics,
  recorded_metrics,
)
from bnjax.lab.results.grids import BEST, LARGEST, METRIC, THRESHOLD, TRAINED
from bnjax.lab.results.names import (
  Extreme,
  Growth,
  Metric,
  Name,
  Probe,
  StepsTo,
  parse_name,
)
from bnjax.lab.results.parse import claims, published
from bnjax.lab.results.points import (
  grid_axes,
  is_number,
  same_value,
  short_names,
)


def check_rules(
  config: Mapping[str, Any], metrics: Collection[str] = ()
) -> None:
  """Checks published numbers, claims, figures and tables before training.

  Args:
    config: the whole config as nested dicts.
    metrics: the metrics that rows of this run will have; where they are given,
      a rule that names another one is an error.

  Raises:
    ValueError: a rule has a field that is missing, unknown or of the wrong
      kind; or it names an arm, a grid's field or value, a probe or a metric
      that the run will not have. The message is one line that names the field.
  """
  _check_grid(config, metrics)
  arms = list(config.get("arms") or {})
  for path, arm in _named_arms(config):
    if arm not in arms:
      raise ValueError(
        f"{path} names no arm: {arm!r}; valid: {', '.join(arms) or 'none'}"
      )
  for name, figure in figures(config).items():
    for metric in recorded_metrics(figure):
      if isinstance(parse_name(metric), Metric):
        _check_recorded(f"figures.{name}", metric, metrics)
  for path, name in _named_metrics(config):
    try:
      _check_name(parse_name(name), config, metrics)
    except ValueError as error:
      raise ValueError(f"{path}: {error}") from None


def _check_grid(config: Mapping[str, Any], metrics: Collection[str]) -> None:
  threshold = config.get("grid_threshold", THRESHOLD)
  if not is_number(threshold):
    raise ValueError(f"grid_threshold is {threshold!r}, but should be a number")
  metric = config.get("grid_metric", METRIC)
  if not isinstance(metric, str):
    raise ValueError(f"grid_metric is {metric!r}, but should be a metric")
  if grid_axes(config):
    _check_recorded("grid_metric", metric, metrics)


def _named_arms(config: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
  numbers, lines = published(config)
  for number in numbers:
    yield f"published.{number.arm}", number.arm
    if number.relative_to is not None:
      path = f"published.{number.arm}.{number.metric}.relative_to"
      yield path, number.relative_to
  for line in lines:
    yield f"published.{line.arm}", line.arm
  for claim in claims(config):
    yield f"claims.{claim.name}.arm", claim.arm
    if isinstance(claim.versus, str):
      yield f"claims.{claim.name}.versus", claim.versus
  for name, figure in figures(config).items():
    yield from ((f"figures.{name}.arms", arm) for arm in figure.arms)
  for name, table in layer_tables(config).items():
    yield from ((f"tables.{name}.arms", arm) for arm in table.arms)


def _named_metrics(config: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
  numbers, lines = published(config)
  for arm, metric in [(n.arm, n.metric) for n in numbers] + [
    (line.arm, line.metric) for line in lines
  ]:
    yield f"published.{arm}.{metric}", metric
  for claim in claims(config):
    yield f"claims.{claim.name}.metric", claim.metric
    if claim.versus_metric is not None:
      yield f"claims.{claim.name}.versus_metric", claim.versus_metric
  for name, figure in figures(config).items():
    for metric in named_metrics(figure):
      yield f"figures.{name}", metric


def _check_name(
  name: Name, config: Mapping[str, Any], metrics: Collection[str]
) -> None:
  match name:
    case Metric():
      _check_metric(name, config, metrics)
    case Probe():
      _check_probe(name, config)
    case StepsTo() | Extreme():
      _check_name(name.of, config, metrics)
    case Growth():
      _check_probe(name.layers[0], config)


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
  if metrics and metric not in metrics:
    raise ValueError(
      f"no run has {metric!r}; valid: {', '.join(sorted(metrics))}"
    )


def _check_recorded(path: str, metric: str, metrics: Collection[str]) -> None:
  """Checks the name of a metric of the rows themselves."""
  if metrics and metric not in metrics:
    raise ValueError(
      f"{path}: no run has {metric!r}; valid: {', '.join(sorted(metrics))}"
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
