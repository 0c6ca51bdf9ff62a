"""Metrics that follow from curves: first steps, means, growth per layer.

A seed whose rows end before a curve's last step has no value of what is over
all steps, as more of them could change it.
"""

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd

from bnjax.lab.results.aggregate import Curve
from bnjax.lab.results.published import PublishedCurve


def steps_to(
  curve: Curve, threshold: float, *, at_least: bool, name: str
) -> Curve:
  """The first recorded step on the wanted side of a threshold.

  A seed that never is there has the curve's last step, known to be *at least*
  that: see `Curve.bounds`. A loss's threshold is reached from above, which is
  not `at_least`.
  """
  beyond = curve.values >= threshold if at_least else curve.values <= threshold
  steps = np.asarray(curve.steps)
  reached = beyond.any(axis=1)
  values = np.where(reached, steps[beyond.argmax(axis=1)], steps[-1])
  return Curve(
    curve.arm,
    name,
    curve.seeds,
    (curve.last_step,),
    values[:, None].astype(np.float64),
    (reached | curve.present[:, -1])[:, None],
    np.where(reached, 0, 1).astype(np.int8)[:, None],
  )


def over_steps(curve: Curve, kind: str, *, name: str) -> Curve:
  """Of each seed's finite values the max, min, mean, median or range.

  The range, which is the greatest minus the least, says how far a value
  wandered. A seed that was never finite has NaN.
  """
  finite = np.isfinite(curve.values)
  over = pd.DataFrame(np.where(finite, curve.values, np.nan)).T
  values = over.max() - over.min() if kind == "range" else over.agg(kind)
  return Curve(
    curve.arm,
    name,
    curve.seeds,
    (curve.last_step,),
    values.to_numpy()[:, None],
    curve.present[:, -1:],
  )


def growth(layers: Sequence[Curve], *, name: str) -> Curve | None:
  """The factor per layer by which a value grows from the first to the last.

  Of n layers that is (v_last / v_first)^(1 / (n - 1)), the geometric mean over
  neighbours, at the steps and seeds that all have; NaN where a value is not
  positive. None without any step or seed in common.
  """
  # Each logarithm by itself: the ratio of tiny numbers may overflow.
  return _of_logs(
    layers,
    lambda logs: np.exp((logs[-1] - logs[0]) / (len(layers) - 1)),
    name,
  )


def slope(
  layers: Sequence[Curve], numbers: Sequence[int], *, name: str
) -> Curve | None:
  """The power of the layer's number as which a value grows.

  It is the slope, by least squares, of the value's logarithm over that of the
  layer's number, at the steps and seeds that all have; NaN where a value is not
  positive. None without any step or seed in common.
  """
  x = np.log(numbers)
  weights = (x - x.mean()) / np.square(x - x.mean()).sum()
  return _of_logs(
    layers, lambda logs: np.tensordot(weights, logs, axes=1), name
  )


def _of_logs(
  layers: Sequence[Curve], reduce: Callable[[np.ndarray], np.ndarray], name: str
) -> Curve | None:
  """What `reduce` makes of logarithms [layers, seeds, steps]."""
  steps = sorted(set.intersection(*(set(curve.steps) for curve in layers)))
  seeds = sorted(set.intersection(*(set(curve.seeds) for curve in layers)))
  if not steps or not seeds:
    return None
  parts = [_part(curve, seeds, steps) for curve in layers]
  present = np.logical_and.reduce([kept for _, kept in parts])
  values = np.stack([values for values, _ in parts])
  logs = np.log(np.where((values > 0).all(axis=0), values, np.nan))
  (arm,) = {curve.arm for curve in layers}
  return Curve(arm, name, tuple(seeds), tuple(steps), reduce(logs), present)


def distance(
  curve: Curve, published: PublishedCurve, *, name: str
) -> Curve | None:
  """How far each seed's curve is from a published one, in powers of ten.

  It is the mean over the published steps of |log10 (v / p)|, v being the value
  and p the published one; NaN where a value is not positive, None where the
  curve lacks a published step.
  """
  if not {*published.steps} <= {*curve.steps}:
    return None
  values, present = _part(curve, curve.seeds, published.steps)
  positive = np.where(values > 0, values, np.nan)
  apart = np.abs(np.log10(positive / np.asarray(published.values)))
  return Curve(
    curve.arm,
    name,
    curve.seeds,
    (published.steps[-1],),
    apart.mean(axis=1, keepdims=True),
    np.all(present, axis=1, keepdims=True),
  )


def _part(
  curve: Curve, seeds: Sequence[int], steps: Sequence[int]
) -> tuple[np.ndarray, np.ndarray]:
  cells = np.ix_(
    [curve.seeds.index(seed) for seed in seeds],
    [curve.steps.index(step) for step in steps],
  )
  return curve.values[cells], curve.present[cells]


def joined(parts: Sequence[tuple[Sequence[int], Curve]]) -> Curve:
  """One curve of several: seeds, and where each is taken from."""
  first = parts[0][1]
  seeds = sorted(seed for own, _ in parts for seed in own)
  steps = sorted({step for _, curve in parts for step in curve.steps})
  shape = len(seeds), len(steps)
  values, present = np.full(shape, np.nan), np.zeros(shape, bool)
  bounds = np.zeros(shape, np.int8)
  for own, curve in parts:
    some = [seed for seed in own if seed in curve.seeds]
    at = np.ix_(
      [seeds.index(seed) for seed in some],
      [steps.index(step) for step in curve.steps],
    )
    rows = [curve.seeds.index(seed) for seed in some]
    values[at], present[at] = curve.values[rows], curve.present[rows]
    if curve.bounds is not None:
      bounds[at] = curve.bounds[rows]
  return Curve(
    first.arm, first.metric, tuple(seeds), tuple(steps), values, present, bounds
  )
