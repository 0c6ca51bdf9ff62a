"""Bars: how many steps each arm takes to a threshold, or that it never does."""

from collections.abc import Mapping

import numpy as np
from matplotlib import ticker
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure

from bnjax.lab.report.drawing import (
  Run,
  add_caption,
  add_title,
  log_axis,
  new_figure,
  plural,
)
from bnjax.lab.report.style import GREY
from bnjax.lab.results.figure_kinds import StepsTo
from bnjax.lab.results.measured import Values
from bnjax.lab.results.names import words


def draw(run: Run, options: StepsTo) -> Figure | None:
  """Draws a panel a threshold; None where no arm has the metric."""
  arms = run.arms(options.arms)
  found = [
    {arm: run.measured.values(arm, name) for arm in arms}
    for name in options.names()
  ]
  shown = [a for a in arms if any(own[a].numbers for own in found)]
  if not shown:
    return None
  figure = new_figure(0.75 + (0.42 + 0.25 * len(shown)) * len(found))
  grid = figure.subplots(len(found), 1, squeeze=False, sharex=True)[:, 0]
  sign = "≥" if options.at_least else "≤"
  for axes, own, threshold in zip(grid, found, options.thresholds, strict=True):
    _draw_bars(axes, run, {arm: own[arm] for arm in shown}, options)
    axes.set_title(
      f"Steps to {words(options.metric)} {sign} {threshold:g}", parse_math=False
    )
  _limit(grid, found, options)
  grid[-1].set_xlabel("training steps (minibatches)")
  add_title(figure, options.title)
  seeds = max(len(v.numbers) for own in found for v in own.values())
  never = any(
    s for own in found for v in own.values() for s in v.bounds.values()
  )
  add_caption(
    figure,
    [
      f"bar: mean of {plural(seeds, 'seed')}",
      "dots: each seed" if seeds > 1 else "",
      "hatched: not reached by some seeds, which count with their last step"
      if never
      else "",
    ],
  )
  return figure


def _draw_bars(
  axes: Axes, run: Run, own: Mapping[str, Values], options: StepsTo
) -> None:
  for place, (arm, values) in enumerate(own.items()):
    numbers = np.array(list(values.numbers.values()))
    if not numbers.size:
      continue
    color = run.looks[arm].color
    never = sum(sign > 0 for sign in values.bounds.values())
    mean = float(numbers.mean())
    axes.barh(
      place,
      mean,
      height=0.66,
      color=to_rgba(color, 0.08 if never else 0.9),
      edgecolor=to_rgba(color, 0.45 if never else 0.9),
      hatch="////" if never else None,
      linewidth=0 if never else 0.8,
    )
    if numbers.size > 1 and not never:
      axes.scatter(
        numbers,
        np.full(numbers.shape, place),
        s=9,
        facecolor="white",
        edgecolor=color,
        linewidth=0.7,
        zorder=4,
      )
    end = max(mean, float(numbers.max()))
    text = f"{mean:,.0f}"
    if never == numbers.size:
      text = f"never in {end:,.0f}"
    elif never:
      text = f"≥ {mean:,.0f}: never for {never} of {numbers.size}"
    axes.annotate(
      text,
      (end, place),
      xytext=(5, 0),
      textcoords="offset points",
      va="center",
      fontsize=7.5,
      color=GREY,
      annotation_clip=False,
    )
  axes.set_yticks(range(len(own)))
  axes.set_yticklabels(list(own), fontsize=8, parse_math=False)
  for label, arm in zip(axes.get_yticklabels(), own, strict=True):
    label.set_color(run.looks[arm].color)
  axes.set_ylim(len(own) - 0.5, -0.5)
  axes.grid(False, axis="y")
  axes.tick_params(axis="y", length=0)


def _limit(
  grid: np.ndarray, found: list[dict[str, Values]], options: StepsTo
) -> None:
  """One x axis for all panels, with room for the numbers beside the bars."""
  numbers = [
    n for own in found for v in own.values() for n in v.numbers.values()
  ]
  most, axes = max(numbers, default=1.0) or 1.0, grid[-1]
  if options.log_x:
    least = min((n for n in numbers if n > 0), default=1.0)
    axes.set_xscale("log")
    axes.set_xlim(least / 2, most * (most / least * 2) ** 0.35)
    log_axis(axes.xaxis, least, most)
  else:
    axes.set_xlim(0, most * 1.28)
    axes.xaxis.set_major_locator(ticker.MaxNLocator(6, integer=True))
    axes.xaxis.set_major_formatter(
      ticker.FuncFormatter(lambda x, _: f"{round(x):,}" if x <= most else "")
    )
