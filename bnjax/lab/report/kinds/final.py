"""Metrics at one step, an arm a row: every seed, the mean and its interval."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from bnjax.lab.report.kinds.over_seeds import arm_rows
from bnjax.lab.report.marks import Axis, Figure, Interval, Mark, Panel, Points
from bnjax.lab.report.run import Run
from bnjax.lab.report.style import PAGE, TEXT
from bnjax.lab.report.wording import plural, sentence, span, unit
from bnjax.lab.results import figure_kinds
from bnjax.lab.results.intervals import estimate
from bnjax.lab.results.measured import Values
from bnjax.lab.results.names import is_fraction, words


def final(run: Run, options: figure_kinds.Final) -> Figure | None:
  """Shows each metric that any of the arms has at the step."""
  arms = run.arms(options.arms)
  found = {
    metric: {
      arm: values
      for arm in arms
      if (values := run.measured.values(arm, metric, options.step)).numbers
    }
    for metric in dict.fromkeys(options.metrics)
  }
  found = {metric: own for metric, own in found.items() if own}
  if not found:
    return None
  shown = [arm for arm in arms if any(arm in own for own in found.values())]
  titles = dict(zip(options.metrics, options.titles, strict=False))
  rows = arm_rows(run, shown)
  panels = []
  for metric, own in found.items():
    marks = _marks(run, metric, own, shown)
    title = titles.get(metric) or sentence(words(metric))
    x = _axis(metric, marks, options.log_x)
    panels.append(Panel(marks, x, rows, title=title))
  every = [values for own in found.values() for values in own.values()]
  seeds = max(len(values.numbers) for values in every)
  bounds = any(sign for values in every for sign in values.bounds.values())
  published = any(
    mark.symbol == "D" for p in panels for mark in p.marks
    if isinstance(mark, Points)
  )  # fmt: skip
  return Figure(
    panels,
    title=options.title,
    caption=[
      f"after {span(values.step for values in every)} steps",
      f"rings: {plural(seeds, 'seed')}, dot: their mean, band: its 95% interval"
      if seeds > 1
      else "",
      "arrow: at least (or at most) this" if bounds else "",
      "diamond: published, with its spread" if published else "",
    ],
    columns=len(panels),
    height=0.55 + 0.25 * len(shown),
    share="y",
  )


def _marks(
  run: Run, metric: str, own: Mapping[str, Values], shown: Sequence[str]
) -> list[Mark]:
  marks: list[Mark] = []
  for arm, values in own.items():
    place, color = float(shown.index(arm)), run.looks[arm].color
    numbers = np.array(list(values.numbers.values()))
    ours = estimate(numbers)
    if ours.mean is None:
      continue
    said = ""
    if ours.interval is not None and not values.inexact:
      low, high = ours.interval
      if is_fraction(metric):
        low, high = max(low, 0.0), min(high, 1.0)
      said = f"95% interval {low:.4g} to {high:.4g}"
      marks.append(Interval(arm, color, low, high, place))
    if numbers.size > 1:
      marks.append(
        Points(
          arm,
          color,
          numbers,
          np.full(numbers.shape, place),
          filled=False,
          size=3.5,
          says=[f"seed {seed}" for seed in values.numbers],
        )
      )
    signs = {sign for sign in values.bounds.values() if sign}
    x, y = np.array([ours.mean]), np.array([place])
    marks.append(Points(arm, color, x, y, says=[said]))
    if signs:
      arrow = ">" if signs == {1} else "<"
      marks.append(Points(arm, PAGE, x, y, symbol=arrow, size=3))
  for rule in run.measured.rules.numbers:
    same = rule.metric == metric and rule.relative_to is None
    if not same or rule.arm not in own or own[rule.arm].step != rule.step:
      continue
    spread = rule.std or 0.0
    if rule.low is not None and rule.high is not None:
      spread = (rule.high - rule.low) / 2
    marks.append(
      Points(
        f"{rule.arm}, published",
        TEXT,
        np.array([rule.mean]),
        np.array([float(shown.index(rule.arm))]),
        error=np.array([spread]),
        along="x",
        symbol="D",
        filled=False,
        says=[f"on {rule.dataset}" if rule.dataset else ""],
      )
    )
  return marks


def _axis(metric: str, marks: Sequence[Mark], log: bool) -> Axis:
  """The range of all marks and a little room; fractions have none beyond 1."""
  ends: list[Any] = [np.empty(0)]
  for mark in marks:
    if isinstance(mark, Interval):
      ends.append([mark.low, mark.high])
    elif isinstance(mark, Points):
      error = 0.0 if mark.error is None else mark.error
      ends += [mark.x - error, mark.x + error]
  values = np.concatenate(ends)
  values = values[np.isfinite(values) & ((values > 0) | (not log))]
  label, fraction = unit(metric), is_fraction(metric)
  if not values.size:
    return Axis(label=label)
  low, high = float(values.min()), float(values.max())
  if log:
    return Axis(label=label, log=True, low=low / 1.15, high=high * 1.15,
                switch=True)  # fmt: skip
  if fraction and high - low > 0.5:
    low, high = min(low, 0.0), max(high, 1.0)
  room = 0.04 * (high - low) or 0.1 * abs(high) or 1.0
  low, high = low - room, high + room
  if fraction:
    low, high = max(low, -0.02), min(high, 1.02)
  switch = not fraction and float(values.min()) > 0
  return Axis(label=label, low=low, high=high, switch=switch)
