"""Metrics at one step, an arm a line: every seed, the mean and its interval."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bnjax.lab.report.drawing import (
  Run,
  add_caption,
  add_title,
  is_narrow,
  log_axis,
  new_figure,
  plural,
  unit,
)
from bnjax.lab.report.style import WIDTH
from bnjax.lab.results.figure_kinds import Final
from bnjax.lab.results.intervals import estimate
from bnjax.lab.results.measured import Values
from bnjax.lab.results.names import is_fraction, words
from bnjax.lab.results.published import PublishedNumber


def draw(run: Run, options: Final) -> Figure | None:
  """Draws a panel for each metric that any of the arms has at the step."""
  arms = run.arms(options.arms)
  panels = []
  for metric in options.metrics:
    own = {
      arm: values
      for arm in arms
      if (values := run.measured.values(arm, metric, options.step)).numbers
    }
    if own:
      panels.append((metric, own))
  if not panels:
    return None
  shown = [arm for arm in arms if any(arm in own for _, own in panels)]
  width = WIDTH + 1.6 * (len(panels) - 1)
  lines = len(panels) if is_narrow() else 1
  height = 1.0 * lines + 0.27 * len(shown) * lines
  figure = new_figure(height, width)
  grid = figure.subplots(
    lines, len(panels) // lines, squeeze=False, sharey=True
  ).ravel()
  titles = dict(zip(options.metrics, options.titles, strict=False))
  published = False
  for axes, (metric, own) in zip(grid, panels, strict=True):
    for place, arm in enumerate(shown):
      if arm in own:
        _draw_arm(axes, place, own[arm], run.looks[arm].color)
    published |= _draw_published(axes, shown, own, metric, run.numbers)
    title = titles.get(metric) or words(metric)
    axes.set_title(title[:1].upper() + title[1:], parse_math=False)
    axes.set_xlabel(unit(metric))
    if options.log_x:
      axes.set_xscale("log")
      low, high = axes.get_xlim()
      log_axis(axes.xaxis, low, high)
    elif is_fraction(metric):
      _limit_fraction(axes)
    axes.grid(False, axis="y")
  grid[0].set_yticks(range(len(shown)))
  grid[0].set_yticklabels(shown, fontsize=8, parse_math=False)
  for label, arm in zip(grid[0].get_yticklabels(), shown, strict=True):
    label.set_color(run.looks[arm].color)
  grid[0].set_ylim(len(shown) - 0.5, -0.5)
  add_title(figure, options.title)
  every = [values for _, own in panels for values in own.values()]
  add_caption(figure, _caption(every, published))
  return figure


def _draw_arm(axes: Axes, place: int, values: Values, color: str) -> None:
  numbers = np.array(list(values.numbers.values()))
  ours = estimate(numbers)
  if ours.mean is None:
    return
  bounded = any(values.bounds.values())
  if ours.interval is not None and not bounded and not values.shared:
    axes.plot(
      ours.interval,
      [place, place],
      color=color,
      linewidth=5,
      alpha=0.25,
      solid_capstyle="round",
    )
  axes.scatter(
    numbers,
    np.full(numbers.shape, place),
    s=11,
    facecolor="none",
    edgecolor=color,
    linewidth=0.7,
    alpha=0.8,
    zorder=3,
  )
  axes.plot(ours.mean, place, "o", color=color, markersize=5, zorder=4)
  signs = set(values.bounds.values()) - {0}
  if signs:
    marker = ">" if signs == {1} else "<"
    axes.plot(ours.mean, place, marker, color="white", markersize=3, zorder=5)


def _draw_published(
  axes: Axes,
  arms: Sequence[str],
  own: dict[str, Values],
  metric: str,
  numbers: Sequence[PublishedNumber],
) -> bool:
  drawn = False
  for number in numbers:
    same = number.metric == metric and number.relative_to is None
    if not same or number.arm not in own or own[number.arm].step != number.step:
      continue
    spread = number.std or 0.0
    if number.low is not None and number.high is not None:
      spread = (number.high - number.low) / 2
    axes.errorbar(
      [number.mean],
      [arms.index(number.arm)],
      xerr=[spread],
      color="#222222",
      marker="D",
      markersize=4.5,
      markerfacecolor="white",
      linewidth=1,
      capsize=2.5,
      zorder=6,
    )
    drawn = True
  return drawn


def _limit_fraction(axes: Axes) -> None:
  """No room beyond 0 and 1, and all of it where the values take much of it."""
  low, high = axes.get_xlim()
  if high - low > 0.5:
    low, high = min(low, 0.0), max(high, 1.0)
  axes.set_xlim(max(low, -0.02), min(high, 1.02))


def _caption(every: Sequence[Values], published: bool) -> list[str]:
  steps = sorted({values.step for values in every})
  seeds = max(len(values.numbers) for values in every)
  bounded = any(sign for values in every for sign in values.bounds.values())
  span = " to ".join(f"{s:,}" for s in dict.fromkeys((steps[0], steps[-1])))
  return [
    f"after {span} steps",
    f"dots: {plural(seeds, 'seed')}, filled: their mean, band: 95% interval"
    if seeds > 1
    else "",
    "arrow: at least (or at most) this" if bounded else "",
    "diamond: published, with its spread" if published else "",
  ]
