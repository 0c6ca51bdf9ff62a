"""A number of each layer: one line an arm, over the layers' numbers."""

import re
from collections.abc import Sequence

import numpy as np
from matplotlib import ticker
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bnjax.lab.report.drawing import (
  Run,
  add_caption,
  log_axis,
  new_figure,
  plural,
)
from bnjax.lab.report.labels import Label, label_lines
from bnjax.lab.report.style import GREY
from bnjax.lab.results.figure_kinds import Layers
from bnjax.lab.results.layers import Profile, profiles
from bnjax.lab.results.names import words


def draw(run: Run, options: Layers) -> Figure | None:
  """Draws the profiles of the arms; None if the probe saw nothing."""
  found = profiles(run.measured, options)
  if not found:
    return None
  names = list(dict.fromkeys(layer for p in found for layer in p.layers))
  places = _places(names)
  figure = new_figure(3.6)
  axes = figure.subplots()
  labels = []
  for profile in found:
    look = run.looks[profile.arm]
    x = [places[layer] for layer in profile.layers]
    shown = _shown(profile.mean, options.log_y)
    axes.fill_between(
      x,
      _shown(profile.least, options.log_y),
      _shown(profile.greatest, options.log_y),
      color=look.color,
      alpha=0.18,
      linewidth=0,
    )
    line = look.line(len(x)) | {"marker": look.mark or "o", "markevery": 1}
    axes.plot(x, shown, **(line | {"markersize": 3.6}))
    finite = shown[np.isfinite(shown)]
    if finite.size:
      labels.append(Label(profile.arm, float(finite[-1]), look.color))
  if options.log_y:
    axes.set_yscale("log")
  note = _draw_reference(axes, found, places, options)
  if options.log_y:
    low, high = axes.get_ylim()
    log_axis(axes.yaxis, low, high)
  _name_layers(axes, names, places)
  title = options.title or words(options.probe)
  axes.set_title(title[:1].upper() + title[1:], parse_math=False)
  axes.set_ylabel(options.label or words(options.probe))
  steps = sorted({profile.step for profile in found})
  seeds = max(profile.seeds for profile in found)
  mean = "geometric mean" if options.log_y else "mean"
  zeros = options.log_y and any((profile.mean == 0).any() for profile in found)
  when = " and ".join(f"{step:,}" for step in steps)
  add_caption(
    figure,
    [
      f"line: {mean} of {plural(seeds, 'seed')}",
      "band: smallest to largest" if seeds > 1 else "",
      f"at training step {when}",
      note,
      "a line ends where a value is 0" if zeros else "",
    ],
  )
  label_lines(figure, [(axes, labels)])
  return figure


def _shown(values: np.ndarray, log: bool) -> np.ndarray:
  """Values with NaN where a logarithmic axis has no place for them."""
  return np.where(values > 0, values, np.nan) if log else values


def _places(names: Sequence[str]) -> dict[str, int]:
  """Where each layer is: at its number, if that alone tells them apart."""
  numbers = [re.findall(r"\d+", name) for name in names]
  shapes = {re.sub(r"\d+", "#", name) for name in names}
  if len(shapes) == 1 and all(numbers):
    differing = [
      column
      for column in zip(*numbers, strict=True)
      if len(set(column)) == len(names)
    ]
    if differing:
      return {n: int(v) for n, v in zip(names, differing[0], strict=True)}
  return {name: place for place, name in enumerate(names)}


def _name_layers(
  axes: Axes, names: Sequence[str], places: dict[str, int]
) -> None:
  numbered = all(str(place) in name for name, place in places.items())
  if numbered:
    axes.xaxis.set_major_locator(ticker.MaxNLocator(10, integer=True))
    kind = re.sub(r"[_/.]?\d+", "", names[0]).replace("_", " ")
    axes.set_xlabel(f"layer ({kind})", parse_math=False)
  else:
    axes.set_xticks(list(places.values()))
    axes.set_xticklabels(
      names, rotation=35, ha="right", rotation_mode="anchor", parse_math=False
    )
    axes.set_xlabel("layer")


def _draw_reference(
  axes: Axes,
  found: Sequence[Profile],
  places: dict[str, int],
  options: Layers,
) -> str:
  """A line that grows by a factor per layer going back from the last one."""
  if options.reference is None:
    return ""
  wanted = options.reference_arm or found[0].arm
  profile = next((p for p in found if p.arm == wanted), found[0])
  x = np.array([places[layer] for layer in profile.layers])
  last = int(x.argmax())
  values = profile.mean[last] * options.reference ** (x[last] - x)
  axes.plot(x, values, color=GREY, linewidth=1, linestyle=(0, (4, 3)), zorder=4)
  text = options.reference_text or f"{options.reference:.4g} per layer"
  return f"dashed: {text}"
