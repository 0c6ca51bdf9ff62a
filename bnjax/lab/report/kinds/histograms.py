"""Histograms as small multiples: a column a layer, a row an arm."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from matplotlib import ticker
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bnjax.lab.report.drawing import (
  Run,
  add_caption,
  add_title,
  new_figure,
  plural,
)
from bnjax.lab.report.style import GREY
from bnjax.lab.results.figure_kinds import Histograms
from bnjax.lab.results.layers import chosen
from bnjax.lab.results.names import words
from bnjax.lab.results.order import natural


class _Counts(NamedTuple):
  counts: np.ndarray
  edges: np.ndarray
  zeros: float | None
  seeds: int
  of: int
  step: int


def draw(run: Run, options: Histograms) -> Figure | None:
  """Draws every histogram of the chosen layers; None if there is none."""
  logarithms = _are_logarithms(run, options)
  found = {
    (arm, layer): counts
    for arm in run.arms(options.arms)
    for layer in chosen(
      options.layers, run.measured.probes.layers(options.probe, arm)
    )
    if (counts := _counts(run, arm, layer, options)) is not None
  }
  if not found:
    return None
  arms = list(dict.fromkeys(arm for arm, _ in found))
  layers = list(dict.fromkeys(layer for _, layer in found))
  if not options.layers:
    layers.sort(key=natural)
  width = min(1.5 + 1.25 * len(layers), 12.0)
  figure = new_figure(
    1.0 + 0.85 * len(arms), max(width, 4.5), fits=len(layers) < 3
  )
  grid = figure.subplots(
    len(arms),
    len(layers),
    squeeze=False,
    sharex=options.shared or "col",
  )
  for row, arm in enumerate(arms):
    for column, layer in enumerate(layers):
      axes = grid[row, column]
      counts = found.get((arm, layer))
      if counts is None:
        axes.set_axis_off()
      else:
        _draw(axes, counts, run.looks[arm].color, options)
      if row == 0:
        axes.set_title(
          layer.replace("_", " "), fontsize=7.5, loc="center", parse_math=False
        )
    grid[row, 0].set_ylabel(
      _wrapped(arm),
      rotation=0,
      ha="right",
      va="center",
      color=run.looks[arm].color,
      parse_math=False,
    )
  _name_x(grid, logarithms)
  label = options.label or (
    f"size of {words(options.probe)}" if logarithms else words(options.probe)
  )
  grid[-1, len(layers) // 2].set_xlabel(label, parse_math=False)
  add_title(figure, options.title)
  _caption(figure, list(found.values()), options)
  return figure


def _are_logarithms(run: Run, options: Histograms) -> bool:
  """Whether the edges are decimal logarithms of magnitudes."""
  probe = (run.measured.config.get("probes") or {}).get(options.probe) or {}
  return probe.get("measure") == "log10_histogram"


def _counts(
  run: Run, arm: str, layer: str, options: Histograms
) -> _Counts | None:
  """The counts of all seeds whose bins are those of the first one."""
  seen = run.measured.probes.seen(arm, options.probe, layer)
  steps = sorted({one.step for one in seen})
  if not steps:
    return None
  step = steps[-1] if options.step is None else options.step
  own = [one for one in seen if one.step == step and one.edges is not None]
  if not own or own[0].edges is None:
    return None
  edges = own[0].edges
  if len(edges) != own[0].values.size + 1:
    raise ValueError(f"{options.probe} of {layer} has no edge more than counts")
  alike = [one for one in own if _same_edges(one.edges, edges)]
  zeros = [one.zero_fraction for one in alike if one.zero_fraction is not None]
  return _Counts(
    np.sum([one.values for one in alike], axis=0),
    edges,
    float(np.mean(zeros)) if zeros else None,
    len(alike),
    len(own),
    step,
  )


def _same_edges(one: np.ndarray | None, other: np.ndarray) -> bool:
  return one is not None and np.array_equal(one, other)


def _draw(axes: Axes, found: _Counts, color: str, options: Histograms) -> None:
  widths = np.diff(found.edges)
  total = found.counts.sum()
  density = found.counts / np.where(widths > 0, widths, 1) / max(total, 1)
  axes.stairs(density, found.edges, fill=True, color=color, alpha=0.85)
  axes.grid(False)
  axes.spines["left"].set_visible(False)
  axes.set_yticks([])
  if options.log_counts and (density > 0).any():
    axes.set_yscale("log")
    least = density[density > 0].min()
    axes.set_ylim(least / 2, density.max() * 2)
    axes.yaxis.set_major_locator(ticker.NullLocator())
    axes.yaxis.set_minor_locator(ticker.NullLocator())
  if found.zeros is not None and found.zeros > 0.005:
    axes.margins(y=0.22)  # Room for the text above the bars.
    axes.text(
      0.03,
      0.98,
      f"{found.zeros:.0%} zero",
      transform=axes.transAxes,
      fontsize=6,
      color=GREY,
      va="top",
    )


def _name_x(grid: np.ndarray, logarithms: bool) -> None:
  for axes in grid.ravel():
    axes.xaxis.set_major_locator(ticker.MaxNLocator(3, integer=logarithms))
    axes.tick_params(axis="x", labelsize=6.5, length=2)
    if logarithms:
      form = ticker.FuncFormatter(lambda x, _: f"$10^{{{x:.0f}}}$")
      axes.xaxis.set_major_formatter(form)


def _wrapped(arm: str, width: int = 16) -> str:
  """An arm's name on lines of about a width, broken after its parts."""
  lines = [""]
  for part in arm.split("_"):
    longer = f"{lines[-1]}_{part}" if lines[-1] else part
    if len(longer) > width and lines[-1]:
      lines[-1] += "_"
      lines.append(part)
    else:
      lines[-1] = longer
  return "\n".join(lines)


def _caption(
  figure: Figure, found: Sequence[_Counts], options: Histograms
) -> None:
  steps = sorted({one.step for one in found})
  most = max(found, key=lambda one: one.of)
  seeds = plural(most.seeds, "seed") + " together" * (most.seeds > 1)
  if most.seeds < most.of:
    seeds = f"{most.seeds} of {most.of} seeds (bins differ)"
  add_caption(
    figure,
    [
      f"share of values, {seeds}",
      "logarithmic heights" if options.log_counts else "",
      "each panel scaled to its own height",
      f"at training step {' and '.join(f'{step:,}' for step in steps)}",
    ],
  )
