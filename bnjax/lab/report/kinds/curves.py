"""Metrics over training steps, a panel a metric and a line an arm."""

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np

from bnjax.lab.report.claims import measured_text
from bnjax.lab.report.kinds.over_seeds import (
  finite,
  fraction_axis,
  mean_line,
  seeds_caption,
)
from bnjax.lab.report.marks import (
  Axis,
  Figure,
  Level,
  Line,
  Mark,
  Panel,
  Points,
)
from bnjax.lab.report.run import Run
from bnjax.lab.report.wording import STEPS, plural, sentence, unit
from bnjax.lab.results import figure_kinds
from bnjax.lab.results.claims import judge_claim
from bnjax.lab.results.names import is_fraction, words
from bnjax.lab.results.settings import setting


def curves(run: Run, options: figure_kinds.Curves) -> Figure | None:
  """Shows the metrics that any of the arms has; None if none has any."""
  arms = run.arms(options.arms)
  scales = _epochs(run, arms) if options.epochs else dict.fromkeys(arms, 1.0)
  panels, datasets = [], set()
  for place, metric in enumerate(options.metrics):
    lines = _lines(run, metric, scales)
    if not lines:
      continue
    dashed, names = _published(run, metric, scales, lines)
    datasets |= names
    title = sentence(words(metric))
    if place < len(options.titles):
      title = options.titles[place]
    elif options.title and len(options.metrics) == 1:
      title = options.title
    panels.append(
      Panel(
        [*lines, *dashed, *_diverged(run, metric, scales, lines)],
        _step_axis(lines, options),
        _value_axis(metric, lines, options),
        title=title,
        note=_verdict(run, *options.claims[place : place + 1]),
      )
    )
  if not panels:
    return None
  lost = sum(len(run.measured.diverged.get(arm, {})) for arm in arms)
  return Figure(
    panels,
    title=options.title if len(panels) > 1 else "",
    caption=[
      *seeds_caption(panels),
      _dashed_caption(run, datasets),
      f"cross: diverged, {plural(lost, 'run')}" if lost else "",
    ],
    height=2.9 if len(panels) == 1 else 2.2,
  )


def _verdict(run: Run, name: str = "") -> str:
  """What the run says of a claim; nothing where the rules lack it."""
  claim = run.measured.rules.claims.get(name)
  if claim is None:
    return ""
  judged = judge_claim(claim, run.measured)
  whole = dataclasses.asdict(claim) | judged._asdict()
  return f"{judged.verdict}: {measured_text(whole)}"


def _epochs(run: Run, arms: Sequence[str]) -> dict[str, float]:
  """How many passes over the training set a step is, for each arm."""
  scales = {}
  for arm in arms:
    data = setting(run.measured.config, arm, "dataset", "name")
    batch = setting(run.measured.config, arm, "batch_size")
    if not run.sizes.get(str(data)) or not batch:
      raise ValueError(
        f"an x axis of epochs needs {arm}'s batch_size and the number of its "
        "training examples"
      )
    scales[arm] = batch / run.sizes[str(data)]
  return scales


def _lines(run: Run, metric: str, scales: Mapping[str, float]) -> list[Line]:
  lines = []
  for arm, scale in scales.items():
    if curve := run.measured.curve(arm, metric):
      x = np.array(curve.steps) * scale
      seeds = dict(zip(curve.seeds, curve.values, strict=True))
      lines.append(mean_line(arm, run.looks[arm], x, seeds))
  return lines


def _step_axis(lines: Sequence[Line], options: figure_kinds.Curves) -> Axis:
  label = "epochs (passes over the training set)" if options.epochs else STEPS
  last = max(float(line.x[-1]) for line in lines) or 1.0
  return Axis(label=label, log=options.log_x, low=0, high=last, switch=True)


def _value_axis(
  metric: str, lines: Sequence[Line], options: figure_kinds.Curves
) -> Axis:
  """As options say; else logarithmic if no fraction and nowhere negative."""
  fraction, label = is_fraction(metric), options.label or unit(metric)
  low, high = options.low, options.high
  values = finite(lines)
  log = options.log_y
  if log is None:
    log = not (fraction or (values < 0).any())
  if values.size:  # a limit that all values are beyond is passed over
    low = None if low is not None and low >= values.max() else low
    high = None if high is not None and high <= values.min() else high
  if fraction and not log and low is None and high is None:
    return fraction_axis(lines, label)
  if fraction and not log and high is None:
    high = 1.0
  log = log and bool((values > 0).any())
  return Axis(label=label, log=log, low=low, high=high, switch=True)


def _published(
  run: Run, metric: str, scales: Mapping[str, float], lines: Sequence[Line]
) -> tuple[list[Mark], set[str]]:
  """What is published of a metric, dashed in its arm's colour; its data sets.

  A number that is the ratio of two arms has no place among values.
  """
  marks: list[Mark] = []
  datasets: set[str] = set()
  limit = max(float(line.x[-1]) for line in lines)
  for rule in run.measured.rules.numbers:
    if rule.metric != metric or rule.arm not in scales or rule.relative_to:
      continue
    color, datasets = run.looks[rule.arm].color, datasets | {rule.dataset}
    if rule.low is not None and rule.high is not None:
      marks.append(Level(color, rule.low, rule.high))
      continue
    marks.append(Level(color, rule.mean))
    if (step := rule.step * scales[rule.arm]) <= limit:
      marks.append(
        Points(
          f"{rule.arm}, published",
          color,
          np.array([step]),
          np.array([rule.mean]),
          error=np.array([rule.std or 0.0]),
          symbol="D",
          filled=False,
        )
      )
  for line in run.measured.rules.curves:
    if line.metric != metric or line.arm not in scales:
      continue
    x = np.array(line.steps, np.float64) * scales[line.arm]
    if x.size and x.min() < limit:
      color, datasets = run.looks[line.arm].color, datasets | {line.dataset}
      name, y = f"{line.arm}, published", np.array(line.values, np.float64)
      marks.append(Line(name, color, x, y, symbol="D", dashed=True))
  return marks, datasets


def _diverged(
  run: Run, metric: str, scales: Mapping[str, float], lines: Sequence[Line]
) -> list[Points]:
  """A cross at the last finite value that each run had when it diverged."""
  tops = [line.y[np.isfinite(line.y)].max(initial=0) for line in lines]
  crosses = []
  for arm in scales:
    curve, runs = run.measured.curve(arm, metric), run.measured.diverged
    for seed, step in runs.get(arm, {}).items():
      if curve is None or seed not in curve.seeds:
        continue
      values = curve.values[curve.seeds.index(seed)]
      before = values[(np.array(curve.steps) <= step) & np.isfinite(values)]
      crosses.append(
        Points(
          arm,
          run.looks[arm].color,
          np.array([step * scales[arm]]),
          np.array([before[-1] if before.size else max(tops) or 1.0]),
          symbol="X",
          size=7,
          says=[f"seed {seed} diverged"],
        )
      )
  return crosses


def _dashed_caption(run: Run, datasets: set[str]) -> str:
  if not datasets:
    return ""
  named = sorted(name for name in datasets - {*run.sizes} if name)
  if not named:
    return "dashed: published"
  some = ", some" if len(named) < len(datasets) else ""
  return (
    f"dashed: published{some} on {', '.join(named)} "
    f"(ours: {', '.join(run.sizes)})"
  )
