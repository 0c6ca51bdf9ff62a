"""Metrics at one step, an arm a line: seeds, intervals, what is published."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from bnjax.lab.report.drawing import Run, unit
from bnjax.lab.report.page.numbers import short
from bnjax.lab.report.tables import headline_metric
from bnjax.lab.results.figure_kinds import Figure, Final, StepsTo
from bnjax.lab.results.intervals import estimate
from bnjax.lab.results.measured import Values
from bnjax.lab.results.names import is_fraction, words


def values(
  run: Run, figures: Mapping[str, Figure], summary: Mapping[str, Any]
) -> list[dict[str, Any]]:
  """The panels: what is published first, then what the config asks for.

  Args:
    run: the run.
    figures: those of its config, or the usual ones.
    summary: its summary: the headline metric is shown where nothing else is.
  """
  published = [
    (rule.metric, rule.step) for rule in run.numbers if not rule.relative_to
  ]
  panels = [
    _panel(run, run.measured.arms, metric, step, "")
    for metric, step in dict.fromkeys(published)
  ]
  for figure in figures.values():
    if isinstance(figure, Final | StepsTo):
      panels += _of_figure(run, figure)
  headline = headline_metric(summary)
  found = [panel for panel in panels if panel["lines"]]
  if not found and headline:
    found = [_panel(run, run.measured.arms, headline, None, "")]
  return [panel for panel in found if panel["lines"]]


def _of_figure(run: Run, figure: Final | StepsTo) -> list[dict[str, Any]]:
  arms = run.arms(figure.arms)
  if isinstance(figure, StepsTo):
    panels = [_panel(run, arms, name, None, "") for name in figure.names()]
  else:
    titles = dict(zip(figure.metrics, figure.titles, strict=False))
    panels = [
      _panel(run, arms, metric, figure.step, titles.get(metric, ""))
      for metric in figure.metrics
    ]
  return [panel | {"log": figure.log_x} for panel in panels]


def _panel(
  run: Run, arms: Sequence[str], metric: str, step: int | None, title: str
) -> dict[str, Any]:
  found = {arm: run.measured.values(arm, metric, step) for arm in arms}
  found = {arm: own for arm, own in found.items() if own.numbers}
  return {
    "title": title or words(metric),
    "metric": metric,
    "unit": unit(metric),
    "fraction": is_fraction(metric),
    "log": False,
    "steps": sorted({own.step for own in found.values()}),
    "lines": [_line(run, arm, metric, own) for arm, own in found.items()],
  }


def _line(run: Run, arm: str, metric: str, own: Values) -> dict[str, Any]:
  numbers = np.array(list(own.numbers.values()))
  ours = estimate(numbers)
  bounded = any(own.bounds.values())
  exact = not bounded and not own.shared
  published = [
    rule
    for rule in run.numbers
    if (rule.arm, rule.metric, rule.step) == (arm, metric, own.step)
    and rule.relative_to is None
  ]
  return {
    "arm": run.measured.arms.index(arm),
    "step": own.step,
    "seeds": list(own.numbers),
    "values": short(numbers, 7),
    "bounds": list(own.bounds.values()) if bounded else [],
    "mean": short(ours.mean, 7),
    "interval": short(ours.interval, 7) if exact and ours.interval else None,
    "published": [
      {
        "mean": rule.mean,
        "low": rule.mean - (rule.std or 0) if rule.low is None else rule.low,
        "high": rule.mean + (rule.std or 0) if rule.high is None else rule.high,
        "dataset": rule.dataset,
      }
      for rule in published
    ],
  }
