"""A list that a probe recorded, over given numbers, at several steps."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from bnjax.lab.report.kinds.over_seeds import band_caption
from bnjax.lab.report.marks import Axis, Figure, Line, Panel
from bnjax.lab.report.run import Run
from bnjax.lab.report.style import mix
from bnjax.lab.report.wording import plural, sentence
from bnjax.lab.results import figure_kinds
from bnjax.lab.results.layers import chosen
from bnjax.lab.results.names import words
from bnjax.lab.results.probes import Seen

_PALEST = 0.7  # how much white the first line's colour has


def fan(run: Run, options: figure_kinds.Fan) -> Figure | None:
  """Shows a panel for each arm that the probe looked at, on shared axes."""
  panels, seeds = [], 0
  x = Axis(label=options.x_label, log=options.log_x)
  y = Axis(
    label=options.label or words(options.probe), log=options.log_y, switch=True
  )
  for arm in run.arms(options.arms):
    color = run.looks[arm].color
    for title, found in _groups(run, options, arm).items():
      paler = np.linspace(_PALEST, 0, len(found))
      lines = [
        _line(options, name, seen, mix(color, "#ffffff", share))
        for (name, seen), share in zip(found.items(), paler, strict=True)
      ]
      if options.by_layer:  # there is room to name the first and the last
        lines[1:-1] = [
          dataclasses.replace(line, label="") for line in lines[1:-1]
        ]
      panels.append(Panel(lines, x, y, title=title.replace("_", " ")))
      seeds = max(seeds, *map(len, found.values()))
  if not panels:
    return None
  order = "deeper the layer" if options.by_layer else "later the training step"
  return Figure(
    panels,
    title=options.title or sentence(words(options.probe)),
    caption=[
      band_caption(seeds, "geometric " * options.log_y + "mean")[0],
      f"the stronger the colour, the {order}",
    ],
    columns=min(len(panels), 3),
    height=2.3,
    share="xy",
  )


def _groups(
  run: Run, options: figure_kinds.Fan, arm: str
) -> dict[str, dict[str, list[Seen]]]:
  """What each panel of an arm shows: lines by name, and what they are of."""
  probes = run.measured.probes
  layers = chosen(options.layers, probes.layers(options.probe, arm))
  point = options.point()
  seen = {
    layer: probes.seen(arm, options.probe, layer, point) for layer in layers
  }
  if options.by_layer:
    last = max((own.step for of in seen.values() for own in of), default=0)
    step = last if options.step is None else options.step
    at = {k: [own for own in of if own.step == step] for k, of in seen.items()}
    groups = {arm: {layer: own for layer, own in at.items() if own}}
  else:
    groups = {
      f"{arm}, {layer}" if len(layers) > 1 else arm: _by_step(options, own)
      for layer, own in seen.items()
    }
  return {title: found for title, found in groups.items() if found}


def _by_step(
  options: figure_kinds.Fan, seen: Sequence[Seen]
) -> dict[str, list[Seen]]:
  steps = options.steps or sorted({own.step for own in seen})
  at = {f"step {s:,}": [own for own in seen if own.step == s] for s in steps}
  return {name: own for name, own in at.items() if own}


def _line(
  options: figure_kinds.Fan, name: str, seen: Sequence[Seen], color: str
) -> Line:
  """The mean over the networks, of which each has a finite number there."""
  values = np.stack([_column(own, options) for own in seen])
  with np.errstate(divide="ignore", invalid="ignore"):
    scaled = np.log(values) if options.log_y else values
  mean = np.ma.masked_invalid(scaled).mean(0).filled(np.nan)
  y = np.exp(mean) if options.log_y else mean
  label = name.removeprefix("step ") if np.isfinite(y[-1]) else ""
  x = np.asarray(options.x)
  return Line(name, color, x, y, symbol="o", label=label.replace("_", " "))


def _column(seen: Seen, options: figure_kinds.Fan) -> np.ndarray:
  """The numbers of one network: [x]."""
  values = seen.column(len(options.x), options.column)
  if values is None:
    raise ValueError(
      f"{options.probe} has values of {list(seen.values.shape)}, and a fan of "
      f"{plural(len(options.x), 'number')} takes one for each"
    )
  return values
