"""A list that a probe recorded, as a strip of colours for each network."""

import numpy as np

from bnjax.lab.report.marks import Axis, Cells, Figure, Panel
from bnjax.lab.report.run import Run
from bnjax.lab.report.wording import number_text, sentence, span
from bnjax.lab.results import figure_kinds
from bnjax.lab.results.layers import chosen
from bnjax.lab.results.names import words
from bnjax.lab.results.probes import Seen


def strips(run: Run, options: figure_kinds.Strips) -> Figure | None:
  """Shows a panel for each arm that the probe looked at, a row a seed."""
  probes, panels, steps = run.measured.probes, [], []
  for arm in run.arms(options.arms):
    for layer in chosen(options.layers, probes.layers(options.probe, arm))[:1]:
      seen = probes.seen(arm, options.probe, layer, options.point())
      last = max((own.step for own in seen), default=0)
      step = last if options.step is None else options.step
      own = [one for one in seen if one.step == step][: options.networks]
      if own:
        panels.append(_panel(arm, own, options))
        steps.append(step)
  if not panels:
    return None
  most = max(len(panel.y.names) for panel in panels)
  return Figure(
    panels,
    title=options.title or sentence(words(options.probe)),
    caption=[
      "each row a network, divided by its greatest magnitude",
      f"at training step {span(steps)}",
    ],
    columns=min(len(panels), 2),
    height=max(0.9, 0.35 + 0.14 * most),  # room for the colours' bar
    share="x",
  )


def _panel(arm: str, seen: list[Seen], options: figure_kinds.Strips) -> Panel:
  size = max(len(np.atleast_1d(one.values)) for one in seen)
  rows = [one.column(size, options.column) for one in seen]
  if any(row is None for row in rows):
    shape = list(seen[0].values.shape)
    raise ValueError(
      f"{options.probe} has values of {shape}, and a strip is of a list"
    )
  values = np.stack(rows)  # type: ignore[arg-type]
  finite = np.where(np.isfinite(values), np.abs(values), 0)
  largest = finite.max(axis=1, keepdims=True)
  scaled = values / np.where(largest > 0, largest, 1)
  places = [number_text(x, 2) for x in np.linspace(*options.x, size)]
  label = options.label or words(options.probe)
  return Panel(
    [
      Cells(
        arm,
        scaled,
        low=-1.0,
        high=1.0,
        threshold=None,
        crosses=np.zeros_like(scaled),
        says=[
          [
            f"seed {one.seed} at {place}: {value:.3g}"
            for place, value in zip(places, row, strict=True)
          ]
          for one, row in zip(seen, values, strict=True)
        ],
        label=label,
      )
    ],
    Axis(label=options.x_label, names=places, low=-0.5, high=len(places) - 0.5),
    Axis(
      label="seed",
      names=[str(one.seed) for one in seen],
      low=len(seen) - 0.5,
      high=-0.5,
    ),
    title=arm.replace("_", " "),
  )
