"""A list that a probe recorded, over given numbers, at several steps."""

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
  probes, panels, seeds = run.measured.probes, [], 0
  x = Axis(label=options.x_label, log=options.log_x)
  y = Axis(
    label=options.label or words(options.probe), log=options.log_y, switch=True
  )
  for arm in run.arms(options.arms):
    layers = chosen(options.layers, probes.layers(options.probe, arm))
    for layer in layers:
      seen = probes.seen(arm, options.probe, layer, options.point())
      steps = options.steps or sorted({own.step for own in seen})
      at = {s: [own for own in seen if own.step == s] for s in steps}
      found = {step: own for step, own in at.items() if own}
      if found:
        color = run.looks[arm].color
        lines = [
          _line(
            options, step, own, mix(color, "#ffffff", _PALEST * (1 - share))
          )
          for (step, own), share in zip(
            found.items(), np.linspace(0, 1, len(found)), strict=True
          )
        ]
        title = f"{arm}, {layer}" if len(layers) > 1 else arm
        panels.append(Panel(lines, x, y, title=title.replace("_", " ")))
        seeds = max(seeds, *map(len, found.values()))
  if not panels:
    return None
  return Figure(
    panels,
    title=options.title or sentence(words(options.probe)),
    caption=[
      band_caption(seeds, "geometric " * options.log_y + "mean")[0],
      "the stronger the colour, the later the training step",
    ],
    columns=min(len(panels), 3),
    height=2.3,
    share="xy",
  )


def _line(
  options: figure_kinds.Fan, step: int, seen: Sequence[Seen], color: str
) -> Line:
  """The mean over the networks, of which each has a finite number there."""
  values = np.stack([_column(own, options) for own in seen])
  with np.errstate(divide="ignore", invalid="ignore"):
    scaled = np.log(values) if options.log_y else values
  mean = np.ma.masked_invalid(scaled).mean(0).filled(np.nan)
  y = np.exp(mean) if options.log_y else mean
  name = f"step {step:,}"
  label = f"{step:,}" if np.isfinite(y[-1]) else ""
  return Line(name, color, np.asarray(options.x), y, symbol="o", label=label)


def _column(seen: Seen, options: figure_kinds.Fan) -> np.ndarray:
  """The numbers of one network: [x]."""
  values = seen.column(len(options.x), options.column)
  if values is None:
    raise ValueError(
      f"{options.probe} has values of {list(seen.values.shape)}, and a fan of "
      f"{plural(len(options.x), 'number')} takes one for each"
    )
  return values
