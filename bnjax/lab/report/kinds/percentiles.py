"""Percentiles over training, as Figure 1 (b, c) of the 2015 paper has them.

Reference:
  S. Ioffe, C. Szegedy, "Batch Normalization: Accelerating Deep Network
  Training by Reducing Internal Covariate Shift", 2015, section 4.1.
"""

from collections.abc import Sequence

import numpy as np

from bnjax.lab.report.kinds.over_seeds import of_seed
from bnjax.lab.report.marks import Axis, Figure, Line, Panel
from bnjax.lab.report.run import Run
from bnjax.lab.report.wording import STEPS, number_text
from bnjax.lab.results import figure_kinds
from bnjax.lab.results.names import split_point, words
from bnjax.lab.results.probes import Seen


def percentiles(run: Run, options: figure_kinds.Percentiles) -> Figure | None:
  """Shows a panel for each arm that the probe looked at, on one y axis."""
  found = {arm: _of_one_seed(run, arm, options)
           for arm in run.arms(options.arms)}  # fmt: skip
  found = {arm: own for arm, own in found.items() if own}
  if not found:
    return None
  q = run.probe(options.probe).get("q")
  what = words(options.layer)
  label = options.label or f"value of {what}"
  panels = []
  for arm, own in found.items():
    steps = np.array([seen.step for seen in own], np.float64)
    values = np.stack([_of_one_unit(seen, options.unit) for seen in own])
    count = values.shape[1]
    texts = [str(place) for place in range(count)]
    if isinstance(q, list | tuple) and len(q) == count:
      texts = [f"{number_text(percent)}%" for percent in q]
    lines = [
      Line(
        text,
        run.looks[arm].color,
        steps,
        values[:, i],
        low=values[:, i] if 2 * i < count - 1 else None,
        high=values[:, count - 1 - i] if 2 * i < count - 1 else None,
        label=text if np.isfinite(values[-1, i]) else "",
        width=1.1 if 2 * i == count - 1 else 0.7,
      )
      for i, text in enumerate(texts)
    ]
    last = float(steps.max()) or 1.0
    x = Axis(label=STEPS, log=options.log_x, low=0, high=last, switch=True)
    y = Axis(label=label, low=options.low, high=options.high)
    panels.append(Panel(lines, x, y, title=arm))
  seed = next(iter(found.values()))[0].seed
  listed = ", ".join(map(number_text, q)) if isinstance(q, list | tuple) else ""
  return Figure(
    panels,
    title=options.title or f"What flows into {what}, over training",
    caption=[
      f"one unit of one network (seed {seed})",
      f"lines: {{{listed}}}th percentiles over examples" if listed else "",
    ],
    columns=min(len(panels), 3),
    height=2.1,
    share="xy",
  )


def _of_one_seed(
  run: Run, arm: str, options: figure_kinds.Percentiles
) -> Sequence[Seen]:
  """What the probe saw of one network, by step."""
  layer, point = split_point(options.layer)
  seen = run.measured.probes.seen(arm, options.probe, layer, point)
  return of_seed(seen, options.seed)


def _of_one_unit(seen: Seen, unit: int) -> np.ndarray:
  """The percentiles of one unit: [percentages]."""
  values = seen.values
  if values.ndim == 2 and unit < values.shape[1]:
    return values[:, unit]
  if values.ndim == 1:
    return values
  shape = list(values.shape)
  raise ValueError(f"percentiles of unit {unit} are not in values of {shape}")
