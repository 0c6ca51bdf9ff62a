"""Metrics over training steps, a panel a metric and a line an arm."""

from collections.abc import Mapping, Sequence

from matplotlib.figure import Figure

from bnjax.lab.report.drawing import Run, add_caption, new_figure, plural, unit
from bnjax.lab.report.labels import label_lines
from bnjax.lab.report.panels import Scales, draw_panel, draw_published
from bnjax.lab.results.aggregate import Curve
from bnjax.lab.results.figure_kinds import Curves
from bnjax.lab.results.names import words
from bnjax.lab.results.settings import setting


def draw(run: Run, options: Curves) -> Figure | None:
  """Draws the metrics that any of the arms has; None if none has any."""
  arms = run.arms(options.arms)
  titles = dict(zip(options.metrics, options.titles, strict=False))
  panels = []
  for metric in options.metrics:
    found = [run.measured.curve(arm, metric) for arm in arms]
    if own := [curve for curve in found if curve is not None]:
      panels.append((metric, own))
  if not panels:
    return None
  per_step = _epochs(run, arms, options) if options.epochs else {}
  scales = Scales(
    options.log_x, options.log_y, options.low, options.high, per_step
  )
  figure = new_figure(0.5 + (2.9 if len(panels) == 1 else 2.3 * len(panels)))
  grid = figure.subplots(len(panels), 1, squeeze=False, sharex=True)[:, 0]
  labelled, published = [], []
  for axes, (metric, own) in zip(grid, panels, strict=True):
    labels = draw_panel(axes, own, run.looks, run.measured.diverged, scales)
    looks = {arm: run.looks[arm] for arm in arms}
    published += draw_published(
      axes, metric, looks, run.numbers, run.lines, scales
    )
    title = titles.get(metric) or _sentence(words(metric))
    if options.title and not options.titles and len(panels) == 1:
      title = options.title
    axes.set_title(title, parse_math=False)
    axes.set_ylabel(options.label or unit(metric))
    labelled.append((axes, labels))
  grid[-1].set_xlabel(
    "epochs (passes over the training set)"
    if options.epochs
    else "training step (minibatches)"
  )
  every = [curve for _, own in panels for curve in own]
  add_caption(figure, _caption(run, every, published))
  label_lines(figure, labelled)
  return figure


def _sentence(text: str) -> str:
  return text[:1].upper() + text[1:]


def _epochs(
  run: Run, arms: Sequence[str], options: Curves
) -> Mapping[str, float]:
  """How many passes over the training set a step is, for each arm."""
  config = run.measured.config
  scales = {}
  for arm in arms:
    size = run.sizes.get(str(setting(config, arm, "dataset", "name")))
    batch = setting(config, arm, "batch_size")
    if not size or not batch:
      raise ValueError(
        f"an x axis of epochs needs {arm}'s batch_size and the number of its "
        "training examples"
      )
    scales[arm] = batch / size
  return scales


def _caption(
  run: Run, curves: Sequence[Curve], published: Sequence[str]
) -> list[str]:
  """Says what the lines, bands and marks are."""
  counts = sorted({len(curve.seeds) for curve in curves})
  seeds = " to ".join(map(str, dict.fromkeys((counts[0], counts[-1]))))
  several = counts[-1] > 1
  parts = [f"line: mean of {seeds} seed{'s' if several else ''}"]
  if several:
    parts.append("band: smallest to largest")
  datasets = {name for name in published if name}
  if datasets:
    others = sorted(datasets - {*run.sizes})
    some = ", some" if len(others) < len(datasets) else ""
    ours = ", ".join(run.sizes)
    where = f"{some} on {', '.join(others)} (ours: {ours})" if others else ""
    parts.append(f"dashed: published{where}")
  arms = {curve.arm for curve in curves}
  total = sum(len(run.measured.diverged.get(arm, {})) for arm in arms)
  if total:
    parts.append(f"cross: diverged, {plural(total, 'run')}")
  return parts
