"""Percentiles over training, as Figure 1 (b, c) of the 2015 paper has them.

Reference:
  S. Ioffe, C. Szegedy, "Batch Normalization: Accelerating Deep Network
  Training by Reducing Internal Covariate Shift", 2015, section 4.1.
"""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from bnjax.lab.report.drawing import (
  Run,
  add_caption,
  add_title,
  is_narrow,
  limit_y,
  new_figure,
  number_text,
  step_axis,
)
from bnjax.lab.report.labels import Label, label_lines
from bnjax.lab.report.style import WIDTH
from bnjax.lab.results.figure_kinds import Percentiles
from bnjax.lab.results.names import split_point, words
from bnjax.lab.results.probes import Seen


def draw(run: Run, options: Percentiles) -> Figure | None:
  """Draws a panel for each arm that the probe looked at, on one y axis."""
  panels = []
  for arm in run.arms(options.arms):
    if own := _of_one_seed(run, arm, options):
      panels.append((arm, own))
  if not panels:
    return None
  columns = min(len(panels), 1 if is_narrow() else 3)
  lines = -(-len(panels) // columns)
  width = WIDTH + 0.6 * (columns - 1)
  figure = new_figure(0.9 + 2.1 * lines, width)
  grid = figure.subplots(
    lines, columns, squeeze=False, sharex=True, sharey=True
  ).ravel()
  labelled = []
  for axes, (arm, own) in zip(grid, panels, strict=False):
    steps = np.array([seen.step for seen in own])
    values = np.stack([_percentiles(seen, options.unit) for seen in own])
    color = run.looks[arm].color
    for low in range(values.shape[1] // 2):
      axes.fill_between(
        steps,
        values[:, low],
        values[:, -1 - low],
        color=color,
        alpha=0.14,
        linewidth=0,
      )
    for place, text in enumerate(_texts(run, options, values.shape[1])):
      middle = 2 * place == values.shape[1] - 1
      axes.plot(
        steps, values[:, place], color=color, linewidth=1.7 if middle else 1
      )
      if np.isfinite(values[-1, place]):
        labels = Label(text, float(values[-1, place]), color)
        labelled.append((axes, labels))
    axes.set_title(arm, parse_math=False)
    step_axis(
      axes,
      float(steps.max()),
      first=float(min(steps[steps > 0], default=1)),
      log=options.log_x,
    )
  limit_y(grid[0], options.low, options.high)
  for axes in grid[len(panels) :]:
    axes.set_axis_off()
  for axes in grid[max(0, len(panels) - columns) : len(panels)]:
    axes.set_xlabel("training step (minibatches)")
    axes.tick_params(labelbottom=True)
  for axes in grid[::columns]:
    axes.set_ylabel(options.label or f"value of {words(options.layer)}")
  default = f"What flows into {words(options.layer)}, over training"
  add_title(figure, options.title or default)
  seed = panels[0][1][0].seed
  add_caption(
    figure, [f"one unit of one network (seed {seed})", _note(run, options)]
  )
  by_axes = [
    (axes, [label for other, label in labelled if other is axes])
    for axes in grid[: len(panels)]
  ]
  label_lines(figure, by_axes)
  return figure


def _of_one_seed(run: Run, arm: str, options: Percentiles) -> list[Seen]:
  """What the probe saw of one network, by step."""
  layer, point = split_point(options.layer)
  seen = run.measured.probes.seen(arm, options.probe, layer, point)
  if not seen:
    return []
  seed = seen[0].seed if options.seed is None else options.seed
  return [one for one in seen if one.seed == seed]


def _percentiles(seen: Seen, unit: int) -> np.ndarray:
  """The percentiles of one unit: [percentages]."""
  values = seen.values
  if values.ndim == 2 and unit < values.shape[1]:
    return values[:, unit]
  if values.ndim == 1:
    return values
  shape = list(values.shape)
  raise ValueError(f"percentiles of unit {unit} are not in values of {shape}")


def _texts(run: Run, options: Percentiles, count: int) -> Sequence[str]:
  probe = (run.measured.config.get("probes") or {}).get(options.probe) or {}
  q = probe.get("q")
  if isinstance(q, list | tuple) and len(q) == count:
    return [f"{number_text(percent)}%" for percent in q]
  return [str(place) for place in range(count)]


def _note(run: Run, options: Percentiles) -> str:
  probe = (run.measured.config.get("probes") or {}).get(options.probe) or {}
  q = probe.get("q")
  if not isinstance(q, list | tuple):
    return ""
  listed = ", ".join(number_text(percent) for percent in q)
  return f"lines: {{{listed}}}th percentiles over examples"
