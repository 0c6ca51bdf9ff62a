"""One metric of every arm in one axes: curves, bands, published values."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib import ticker
from matplotlib.axes import Axes

from bnjax.lab.report.drawing import limit_y, log_axis, step_axis
from bnjax.lab.report.labels import Label
from bnjax.lab.report.style import Look
from bnjax.lab.results.aggregate import Curve
from bnjax.lab.results.names import is_fraction
from bnjax.lab.results.published import PublishedCurve, PublishedNumber

_DASHED: Any = {"linewidth": 1, "linestyle": (0, (4, 3))}


class Scales(NamedTuple):
  """The axes of a panel.

  Attributes:
    log_x: logarithmic steps.
    log_y: logarithmic values; as the metric deserves if None.
    low: of the y axis; as the values are if None.
    high: likewise.
    per_step: arm -> what a step counts on the x axis; 1 if not listed.
  """

  log_x: bool = False
  log_y: bool | None = None
  low: float | None = None
  high: float | None = None
  per_step: Mapping[str, float] = {}


PLAIN = Scales()


def draw_panel(
  axes: Axes,
  curves: Sequence[Curve],
  looks: Mapping[str, Look],
  diverged: Mapping[str, Mapping[int, int]],
  scales: Scales = PLAIN,
) -> list[Label]:
  """Draws the mean of each arm's seeds, its range, and where runs diverged.

  Losses get a logarithmic scale and fractions the range from 0 to 1, unless
  the scales say otherwise.

  Args:
    axes: where to draw.
    curves: one metric of several arms.
    looks: each arm's look.
    diverged: arm -> seed -> the step at which it diverged.
    scales: of the axes.

  Returns:
    The label of each arm; one without a finite value has none.
  """
  labels = []
  shade = 0.18 if len(curves) <= 5 else 0.1
  for curve in curves:
    look = looks[curve.arm]
    x = _x(curve, scales)
    mean, least, greatest = curve.over_seeds()
    axes.fill_between(
      x, least, greatest, color=look.color, alpha=shade, linewidth=0
    )
    finite = mean[np.isfinite(mean)]
    line = look.line(len(curve.steps))
    alone = finite.size == 1
    if alone:
      line |= {"marker": look.mark or "o", "clip_on": False, "markevery": 1}
    axes.plot(x, mean, **line)
    if finite.size:
      labels.append(Label(curve.arm, float(finite[-1]), look.color))
  _scale_y(axes, curves, scales)
  ends = [float(_x(curve, scales)[-1]) for curve in curves]
  starts = [x for curve in curves for x in _x(curve, scales) if x > 0]
  step_axis(
    axes, max(ends, default=0), first=min(starts, default=1), log=scales.log_x
  )
  for curve in curves:
    runs = diverged.get(curve.arm, {})
    _mark_diverged(axes, curve, looks[curve.arm], runs, scales)
  return labels


def _x(curve: Curve, scales: Scales) -> np.ndarray:
  return np.asarray(curve.steps) * scales.per_step.get(curve.arm, 1)


def _scale_y(axes: Axes, curves: Sequence[Curve], scales: Scales) -> None:
  fraction = is_fraction(curves[0].metric)
  values = np.concatenate([curve.values.ravel() for curve in curves])
  positive = values[np.isfinite(values) & (values > 0)]
  log = not fraction if scales.log_y is None else scales.log_y
  if log and positive.size:
    axes.set_yscale("log")
    limit_y(axes, scales.low, scales.high)
    log_axis(axes.yaxis, *axes.get_ylim())
    return
  if fraction and scales.low is None and scales.high is None:
    start = _lowest(curves)
    axes.set_ylim(start, 1.02 - 0.02 * start)
    if not start:
      axes.yaxis.set_major_locator(ticker.MultipleLocator(0.2))
  else:
    whole = 1.0 if fraction and scales.high is None else scales.high
    limit_y(axes, scales.low, whole)


def _lowest(curves: Sequence[Curve]) -> float:
  """Where an axis of fractions begins: at 0, or below values that are all high.

  Those before training are left out: the curves come up from below.
  """
  values = [
    curve.values[:, np.asarray(curve.steps) > 0].ravel() for curve in curves
  ]
  trained = np.concatenate(values)
  trained = trained[np.isfinite(trained)]
  least = float(trained.min()) if trained.size else 0.0
  return math.floor(20 * least - 0.2) / 20 if least > 0.6 else 0.0


def _mark_diverged(
  axes: Axes,
  curve: Curve,
  look: Look,
  runs: Mapping[int, int],
  scales: Scales,
) -> None:
  """A cross at the last finite value each run had when it diverged."""
  steps = np.asarray(curve.steps)
  for seed, step in runs.items():
    if seed not in curve.seeds:
      continue
    values = curve.values[curve.seeds.index(seed)]
    before = values[(steps <= step) & np.isfinite(values)]
    place: Any = (
      {} if before.size else {"transform": axes.get_xaxis_transform()}
    )
    axes.plot(
      [step * scales.per_step.get(curve.arm, 1)],
      [before[-1] if before.size else 0.97],
      marker="X",
      markersize=7,
      color=look.color,
      markeredgecolor="white",
      markeredgewidth=0.8,
      zorder=6,
      clip_on=False,
      scalex=False,
      **place,
    )


def draw_published(
  axes: Axes,
  metric: str,
  looks: Mapping[str, Look],
  numbers: Sequence[PublishedNumber],
  lines: Sequence[PublishedCurve],
  scales: Scales = PLAIN,
) -> list[str]:
  """Draws the published values of a metric, dashed, in their arms' colours.

  A number that is the ratio of two arms has no place in it.

  Args:
    axes: where `draw_panel` drew.
    metric: the metric of the panel.
    looks: each arm's look; rules of other arms are left out.
    numbers: published numbers of any metric: a level, its mark and spread.
    lines: published curves of any metric.
    scales: of the axes.

  Returns:
    The data sets of what was drawn.
  """
  limit = axes.get_xlim()[1]
  at = lambda arm, step: step * scales.per_step.get(arm, 1)
  levels = [
    number
    for number in numbers
    if number.metric == metric
    and number.arm in looks
    and number.relative_to is None
  ]
  for level in levels:
    _draw_level(axes, level, at(level.arm, level.step), looks[level.arm].color)
  shown = [
    line
    for line in lines
    if line.metric == metric
    and line.arm in looks
    and at(line.arm, min(line.steps, default=limit)) < limit
  ]
  for line in shown:
    steps = [at(line.arm, step) for step in line.steps]
    axes.plot(
      steps,
      line.values,
      color=looks[line.arm].color,
      marker="D",
      markersize=3.2,
      markerfacecolor="white",
      zorder=4,
      clip_on=max(steps) > limit,
      scalex=False,
      **_DASHED,
    )
  return [n.dataset for n in levels] + [line.dataset for line in shown]


def _draw_level(
  axes: Axes, number: PublishedNumber, step: float, color: str
) -> None:
  """A published number: its level, or the range it lies in, and its mark."""
  if number.low is not None and number.high is not None:
    axes.axhspan(number.low, number.high, color=color, alpha=0.1, zorder=0)
    for level in (number.low, number.high):
      axes.axhline(level, color=color, zorder=4, **_DASHED)
    return
  axes.axhline(number.mean, color=color, zorder=4, **_DASHED)
  if step <= axes.get_xlim()[1]:
    axes.errorbar(
      [step],
      [number.mean],
      [number.std or 0],
      color=color,
      marker="D",
      markersize=4,
      markerfacecolor="white",
      capsize=2,
      zorder=5,
      clip_on=False,
    )
