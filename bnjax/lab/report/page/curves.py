"""Curves over training steps: every metric, and what is shown of them first."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from bnjax.lab.report.drawing import Run, unit
from bnjax.lab.report.page.numbers import short, spaced
from bnjax.lab.results.aggregate import Curve, is_time, ranked
from bnjax.lab.results.figure_kinds import Curves, Figure
from bnjax.lab.results.names import is_fraction, words
from bnjax.lab.results.settings import setting

_NUMBERS = 250_000  # of all curves together
_STEPS = 500


def curves(run: Run, figures: Mapping[str, Figure]) -> dict[str, Any] | None:
  """The curves of a run; None without any that has two steps.

  Args:
    run: the run.
    figures: those of its config, or the usual ones: what can be chosen beside
      each metric on its own.
  """
  views = [_view(own) for own in figures.values() if isinstance(own, Curves)]
  # What is shown first: a metric that is read as a share, if there is any.
  views.sort(key=lambda view: not any(map(is_fraction, view["metrics"])))
  arms = run.measured.arms
  plain = {m for _, m in run.measured.plain if not is_time(m)}
  asked = [metric for view in views for metric in view["metrics"]]
  names = [*ranked(("", name) for name in plain), *asked]
  found: list[Curve] = []
  for metric in dict.fromkeys(names):
    own = [run.measured.curve(arm, metric) for arm in arms]
    found += [c for c in own if c is not None and len(c.steps) > 1]
  if not found:
    return None
  lines = sum(len(curve.seeds) for curve in found)
  steps = min(_STEPS, max(2, _NUMBERS // lines))
  known = {curve.metric for curve in found}
  for view in views:
    view["metrics"] = [m for m in view["metrics"] if m in known]
  return {
    "views": [view for view in views if view["metrics"]],
    "metrics": {
      metric: {
        "words": words(metric),
        "unit": unit(metric),
        "fraction": is_fraction(metric),
      }
      for metric in dict.fromkeys(curve.metric for curve in found)
    },
    "curves": [_curve(curve, arms, steps) for curve in found],
    "thinned": any(len(curve.steps) > steps for curve in found),
    "diverged": {
      arms.index(arm): [[seed, step] for seed, step in runs.items()]
      for arm, runs in run.measured.diverged.items()
      if runs
    },
    "per_step": [_epochs(run, arm) for arm in arms],
    "published": _published(run, arms, known),
  }


def _view(options: Curves) -> dict[str, Any]:
  return {
    "title": options.title,
    "metrics": list(options.metrics),
    "titles": list(options.titles),
    "arms": list(options.arms),
    "log_x": options.log_x,
    "log_y": options.log_y,
    "low": options.low,
    "high": options.high,
    "epochs": options.epochs,
    "label": options.label,
  }


def _curve(curve: Curve, arms: Sequence[str], most: int) -> dict[str, Any]:
  columns = spaced(len(curve.steps), most)
  values = np.where(curve.present, curve.values, np.nan)[:, columns]
  return {
    "arm": arms.index(curve.arm),
    "metric": curve.metric,
    "seeds": list(curve.seeds),
    "steps": [curve.steps[column] for column in columns],
    "values": short(values),
  }


def _epochs(run: Run, arm: str) -> float | None:
  """What part of the training set a step is, where that is known."""
  config = run.measured.config
  size = run.sizes.get(str(setting(config, arm, "dataset", "name")))
  batch = setting(config, arm, "batch_size")
  return batch / size if size and batch else None


def _published(
  run: Run, arms: Sequence[str], known: set[str]
) -> dict[str, Any]:
  """What is published of these metrics: numbers at a step, and curves."""
  return {
    "numbers": [
      {
        "arm": arms.index(rule.arm),
        "metric": rule.metric,
        "step": rule.step,
        "mean": rule.mean,
        "std": rule.std,
        "low": rule.low,
        "high": rule.high,
        "dataset": rule.dataset,
      }
      for rule in run.numbers
      if rule.metric in known and rule.arm in arms and not rule.relative_to
    ],
    "curves": [
      {
        "arm": arms.index(line.arm),
        "metric": line.metric,
        "steps": list(line.steps),
        "values": list(line.values),
        "dataset": line.dataset,
      }
      for line in run.lines
      if line.metric in known and line.arm in arms
    ],
  }
