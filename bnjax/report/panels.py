"""One metric of every arm in one axes: curves, bands, published values."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib import ticker
from matplotlib.axes import Axes

from bnjax.report.labels import Label
from bnjax.report.style import Look
from bnjax.results.aggregate import Curve
from bnjax.results.rules import PublishedCurve, PublishedNumber

_DASHED: Any = {"linewidth": 1, "linestyle": (0, (4, 3))}


def draw_panel(
  axes: Axes,
  curves: Sequence[Curve],
  looks: Mapping[str, Look],
  diverged: Mapping[str, Mapping[int, int]],
) -> list[Label]:
  """Draws the mean of each arm's seeds, its range, and where runs diverged.

  Losses get a logarithmic scale and fractions the range from 0 to 1.

  Args:
    axes: where to draw.
    curves: one metric of several arms.
    looks: each arm's look.
    diverged: arm -> seed -> the step at which it diverged.

  Returns:
    The label of each arm; one without a finite value has none.
  """
  metric = curves[0].metric
  labels = []
  for curve in curves:
    look = looks[curve.arm]
    mean, least, greatest = curve.over_seeds()
    axes.fill_between(
      curve.steps, least, greatest, color=look.color, alpha=0.18, linewidth=0
    )
    marker = "o" if np.isfinite(mean).sum() == 1 else ""
    axes.plot(
      curve.steps,
      mean,
      color=look.color,
      linestyle=look.dash,
      marker=marker,
      markersize=4,
      clip_on=not marker,
    )
    finite = mean[np.isfinite(mean)]
    if finite.size:
      labels.append(Label(curve.arm, float(finite[-1]), look.color))
  if metric.endswith("accuracy"):
    axes.set_ylim(0, 1.02)
    axes.yaxis.set_major_locator(ticker.MultipleLocator(0.2))
  elif any(bool((curve.values > 0).any()) for curve in curves):
    axes.set_yscale("log")
    low, high = axes.get_ylim()
    subs = (1, 2, 5) if high < 200 * low else (1,)
    axes.yaxis.set_major_locator(ticker.LogLocator(subs=subs))
    axes.yaxis.set_major_formatter(ticker.FuncFormatter(lambda y, _: f"{y:g}"))
    axes.yaxis.set_minor_formatter(ticker.NullFormatter())
  axes.xaxis.set_major_locator(ticker.MaxNLocator(6, integer=True))
  axes.xaxis.set_major_formatter(
    ticker.FuncFormatter(lambda x, _: f"{round(x):,}")
  )
  axes.set_xlim(0, max(1, *(curve.last_step for curve in curves)))
  for curve in curves:
    _mark_diverged(axes, curve, looks[curve.arm], diverged.get(curve.arm, {}))
  return labels


def _mark_diverged(
  axes: Axes, curve: Curve, look: Look, runs: Mapping[int, int]
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
      [step],
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
) -> list[str]:
  """Draws the published values of a metric, dashed, in their arms' colours.

  Args:
    axes: where `draw_panel` drew.
    metric: the metric of the panel.
    looks: each arm's look; rules of other arms are left out.
    numbers: published numbers of any metric: a level, its mark and spread.
    lines: published curves of any metric.

  Returns:
    The data sets of what was drawn.
  """
  limit = axes.get_xlim()[1]
  levels = [n for n in numbers if n.metric == metric and n.arm in looks]
  for level in levels:
    color = looks[level.arm].color
    axes.axhline(level.mean, color=color, zorder=4, **_DASHED)
    if level.step <= limit:
      axes.errorbar(
        [level.step],
        [level.mean],
        [level.std or 0],
        color=color,
        marker="D",
        markersize=4,
        markerfacecolor="white",
        capsize=2,
        zorder=5,
        clip_on=False,
      )
  shown = [
    line
    for line in lines
    if line.metric == metric
    and line.arm in looks
    and min(line.steps, default=limit) < limit
  ]
  for line in shown:
    axes.plot(
      line.steps,
      line.values,
      color=looks[line.arm].color,
      marker="D",
      markersize=3.2,
      markerfacecolor="white",
      zorder=4,
      clip_on=max(line.steps) > limit,
      scalex=False,
      **_DASHED,
    )
  return [n.dataset for n in levels] + [line.dataset for line in shown]
