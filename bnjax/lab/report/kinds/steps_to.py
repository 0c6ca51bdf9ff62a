"""Bars: how many steps each arm takes to a threshold, or that it never does."""

import numpy as np

from bnjax.lab.report.kinds.over_seeds import arm_rows
from bnjax.lab.report.marks import Axis, Bar, Figure, Mark, Panel, Points
from bnjax.lab.report.run import Run
from bnjax.lab.report.wording import STEPS, plural
from bnjax.lab.results import figure_kinds
from bnjax.lab.results.measured import Values
from bnjax.lab.results.names import words


def steps_to(run: Run, options: figure_kinds.StepsTo) -> Figure | None:
  """Shows a panel a threshold; None where no arm has the metric."""
  arms = run.arms(options.arms)
  found = [
    {arm: run.measured.values(arm, name) for arm in arms}
    for name in options.names()
  ]
  shown = [arm for arm in arms if any(own[arm].numbers for own in found)]
  if not shown:
    return None
  numbers = [
    n for own in found for v in own.values() for n in v.numbers.values()
  ]
  most, positive = max(numbers) or 1.0, [n for n in numbers if n > 0]
  log = options.log_x and bool(positive)
  least = min(positive, default=1.0)
  never = any(
    s for own in found for v in own.values() for s in v.bounds.values()
  )
  x = Axis(
    label=STEPS,
    log=log,
    low=least / 2 if log else 0.0,
    # There is room for the numbers beside the bars.
    high=most * ((2 * most / least) ** 0.35 if log else 1.3 + 0.25 * never),
  )
  rows = arm_rows(run, shown)
  sign = "≥" if options.at_least else "≤"
  panels = []
  for own, threshold in zip(found, options.thresholds, strict=True):
    marks: list[Mark] = []
    for place, arm in enumerate(shown):
      marks += _bar(arm, run.looks[arm].color, float(place), own[arm])
    title = f"Steps to {words(options.metric)} {sign} {threshold:g}"
    panels.append(Panel(marks, x, rows, title=title))
  seeds = max(len(v.numbers) for own in found for v in own.values())
  return Figure(
    panels,
    title=options.title,
    caption=[
      f"bar: mean of {plural(seeds, 'seed')}",
      "rings: each seed" if seeds > 1 else "",
      "hatched: not reached by some seeds, which count with their last step"
      if never
      else "",
    ],
    height=0.5 + 0.25 * len(shown),
  )


def _bar(arm: str, color: str, place: float, values: Values) -> list[Mark]:
  numbers = np.array(list(values.numbers.values()))
  if not numbers.size:
    return []
  never = sum(sign > 0 for sign in values.bounds.values())
  mean, end = float(numbers.mean()), float(numbers.max())
  text = f"{mean:,.0f}"
  if never == numbers.size:
    text = f"never in {end:,.0f}"
  elif never:
    text = f"≥ {mean:,.0f}: never for {never} of {numbers.size}"
  marks: list[Mark] = [
    Bar(arm, color, place, mean, text, max(mean, end), bound=never > 0)
  ]
  if numbers.size > 1 and not never:
    says = [f"seed {seed}" for seed in values.numbers]
    y = np.full(numbers.shape, place)
    marks.append(
      Points(arm, color, numbers, y, filled=False, size=3.2,
             says=says)
    )  # fmt: skip
  return marks
