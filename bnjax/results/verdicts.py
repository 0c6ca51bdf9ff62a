"""Whether a published number or a claim holds, by rule.

A published number *holds* when the 95% interval of (ours - published)
contains 0, and *does not hold* otherwise. A claim *holds* when the 95%
interval of the difference, paired by seed, lies wholly on its side of the
margin, *does not hold* when wholly on the other, and is *undecided* between.
Either *cannot be compared* where the comparison would mean nothing; the
reason says why. A rule asks for no correction for several comparisons.
"""

import math
from collections.abc import Mapping
from typing import NamedTuple

from bnjax.results.aggregate import Curve
from bnjax.results.intervals import (
  Estimate,
  Interval,
  Sample,
  mean_interval,
  to_sample_std,
  welch_interval,
)
from bnjax.results.rules import Claim, PublishedNumber

HOLDS = "holds"
FAILS = "does not hold"
UNDECIDED = "undecided"
INCOMPARABLE = "cannot be compared"

# Differences below this are rounding of float64 means, not findings.
_ROUNDING = 1e-12


class Verdict(NamedTuple):
  """A verdict with what it rests on.

  Attributes:
    verdict: HOLDS, FAILS, UNDECIDED or INCOMPARABLE.
    difference: ours - published, or arm - versus; None if not computable.
    interval: its 95% interval, where there is one.
    reason: why it cannot be compared; empty otherwise.
    seeds: how many seeds, or pairs of them, it rests on.
  """

  verdict: str
  difference: float | None = None
  interval: Interval | None = None
  reason: str = ""
  seeds: int = 0


def judge_published(
  ours: Estimate, rule: PublishedNumber, *, dataset: str | None, step: int
) -> Verdict:
  """Compares a measured metric with a published number.

  The interval is Welch's, of both standard deviations; the published one is
  divided by n and is corrected to n - 1. Where the published spread or number
  of seeds is unknown it is the interval of our mean alone, and the rule has
  to say what `tolerance` that deserves.

  Args:
    ours: the metric over our seeds.
    rule: the published number.
    dataset: the name of the data set ours was measured on.
    step: the training step ours was measured at.

  Returns:
    The verdict. The difference is stated wherever there are two numbers.
  """
  difference = None if ours.mean is None else ours.mean - rule.mean

  def refuse(reason: str) -> Verdict:
    return Verdict(INCOMPARABLE, difference, None, reason, ours.n)

  if dataset != rule.dataset:
    return refuse(f"measured on {dataset}, published on {rule.dataset}")
  if step != rule.step:
    return refuse(f"measured at step {step}, published at step {rule.step}")
  if ours.n < 2:
    return refuse(f"{ours.n} seed: an interval needs at least 2")
  if ours.finite < ours.n or ours.mean is None or ours.sample_std is None:
    return refuse(f"only {ours.finite} of {ours.n} seeds are finite")
  known = rule.std is not None and (rule.seeds or 0) >= 2
  if not known and rule.tolerance is None:
    return refuse("the published spread is unknown and no tolerance is set")
  spread = to_sample_std(rule.std or 0.0, rule.seeds or 2) if known else 0.0
  # An exact number has no variance: Welch's formula is then our own interval.
  low, high = welch_interval(
    Sample(ours.mean, ours.sample_std, ours.n),
    Sample(rule.mean, spread, (rule.seeds or 2) if known else 2),
  )
  tolerance = rule.tolerance or 0.0
  interval = low - tolerance, high + tolerance
  holds = interval[0] <= _ROUNDING and interval[1] >= -_ROUNDING
  verdict = HOLDS if holds else FAILS
  return Verdict(verdict, difference, interval, "", ours.n)


def judge_claim(
  claim: Claim,
  curves: Mapping[tuple[str, str], Curve],
  *,
  steps: Mapping[str, int],
) -> Verdict:
  """Judges a claim on the seeds that both of its arms have.

  Runs of one seed share their initial weights and minibatches, so their
  difference is taken seed by seed and the interval is that of a paired t
  test; against a number, that of a one-sample t test.

  Args:
    claim: the rule.
    curves: by (arm, metric), as `aggregate.curves` gives them.
    steps: how many steps each arm is to train for; where the claim is judged
      if it names no step.

  Returns:
    The verdict with the mean difference, arm - versus.
  """
  names = [claim.arm]
  if isinstance(claim.versus, str):
    names.append(claim.versus)
  found = []
  for arm in names:
    step = steps.get(arm, 0) if claim.step is None else claim.step
    curve = curves.get((arm, claim.metric))
    values = curve.at(step) if curve else {}
    if not values:
      reason = f"{arm} has no {claim.metric} at step {step}"
      return Verdict(INCOMPARABLE, reason=reason)
    found.append(values)
  seeds = sorted(set.intersection(*map(set, found)))
  ours = [found[0][seed] for seed in seeds]
  if isinstance(claim.versus, str):
    theirs = [found[1][seed] for seed in seeds]
  else:
    theirs = [float(claim.versus)] * len(seeds)
  return _judge_differences(claim, seeds, ours, theirs)


def _judge_differences(
  claim: Claim, seeds: list[int], ours: list[float], theirs: list[float]
) -> Verdict:
  n = len(seeds)
  pairs = list(zip(ours, theirs, strict=True))
  infinite = [
    seed
    for seed, pair in zip(seeds, pairs, strict=True)
    if not all(map(math.isfinite, pair))
  ]
  if infinite:
    listed = ", ".join(map(str, infinite))
    reason = f"{claim.metric} is not finite for seed {listed}"
    return Verdict(INCOMPARABLE, reason=reason, seeds=n)
  differences = [a - b for a, b in pairs]
  mean = math.fsum(differences) / n if n else None
  if n < 2:
    kind = "common seed" if isinstance(claim.versus, str) else "seed"
    reason = f"{n} {kind}: an interval needs at least 2"
    return Verdict(INCOMPARABLE, mean, None, reason, n)
  interval = mean_interval(differences)
  verdict = _side(claim, *interval)
  return Verdict(verdict, mean, interval, "", n)


def _side(claim: Claim, low: float, high: float) -> str:
  margin = claim.margin
  if claim.direction == "less":
    low, high = -high, -low
  if claim.direction == "within":
    if -margin - _ROUNDING <= low and high <= margin + _ROUNDING:
      return HOLDS
    outside = low > margin + _ROUNDING or high < -margin - _ROUNDING
    return FAILS if outside else UNDECIDED
  if low > margin + _ROUNDING:
    return HOLDS
  return FAILS if high <= margin + _ROUNDING else UNDECIDED
