"""Whether a published number or a claim holds, by rule.

A published number *holds* when the 95% interval of (ours - published)
contains 0, and *does not hold* otherwise. A claim *holds* when the 95%
interval of the difference, paired by seed, lies wholly on its side of the
margin, *does not hold* when wholly on the other, and is *undecided* between.
Either *cannot be compared* where the comparison would mean nothing; the
reason says why. A rule asks for no correction for several comparisons.

Ratios are judged in the same way on their logarithms: see `intervals`.

Some values are known only to be at least, or at most, a number (steps to an
accuracy that was never reached; the largest learning rate of a grid). A claim
is then judged on those numbers and its verdict kept only where the true values
could not change it; otherwise it is undecided. A published number is not
compared with them.
"""

from collections.abc import Sequence
from typing import NamedTuple

from bnjax.lab.results.intervals import (
  Estimate,
  Interval,
  Sample,
  estimate,
  exp,
  paired_logs,
  to_sample_std,
  welch_interval,
)
from bnjax.lab.results.measured import Values
from bnjax.lab.results.published import PublishedNumber

HOLDS = "holds"
FAILS = "does not hold"
UNDECIDED = "undecided"
INCOMPARABLE = "cannot be compared"

# Differences below this, relative to what is compared, are rounding of float64
# means, not findings.
ROUNDING = 1e-12


class Verdict(NamedTuple):
  """A verdict with what it rests on.

  Attributes:
    verdict: HOLDS, FAILS, UNDECIDED or INCOMPARABLE.
    difference: ours - published, or arm - versus; None if not computable.
    interval: its 95% interval, where there is one.
    reason: why it cannot be compared or is undecided; otherwise empty.
    seeds: how many seeds, or pairs of them, it rests on.
    ratio: of the two arms, where that is what is judged.
    ratio_interval: its 95% interval, where there is one.
    bound: 1 where the true difference or ratio is known only to be at least
      this one, -1 where at most.
  """

  verdict: str
  difference: float | None = None
  interval: Interval | None = None
  reason: str = ""
  seeds: int = 0
  ratio: float | None = None
  ratio_interval: Interval | None = None
  bound: int = 0


def judge_published(
  ours: Values,
  rule: PublishedNumber,
  *,
  dataset: str | None,
  theirs: Values | None = None,
) -> Verdict:
  """Compares a measured metric with a published number.

  The interval is Welch's, of both standard deviations; the published one is
  divided by n and is corrected to n - 1. Where the published spread or number
  of seeds is unknown it is the interval of our mean alone, and the rule has
  to say what `tolerance` that deserves; a range does.

  A rule with `relative_to` is compared with the ratio of the two arms, paired
  by seed; a published standard deviation counts relative to its mean. The ratio
  is stated also where it was measured on other data than was published.

  Args:
    ours: the metric over our seeds.
    rule: the published number.
    dataset: the name of the data set ours was measured on.
    theirs: the metric of the arm `rule.relative_to`.

  Returns:
    The verdict. The difference is stated wherever there are two numbers.
  """
  if rule.relative_to is not None:
    return _judge_ratio(ours, theirs or ours, rule, dataset)
  mine = estimate(list(ours.numbers.values()))
  difference = None if mine.mean is None else mine.mean - rule.mean
  if reason := _refusal(ours, rule, dataset) or _too_little(mine, rule):
    return Verdict(INCOMPARABLE, difference, None, reason, mine.n)
  assert mine.mean is not None
  assert mine.sample_std is not None
  known = _spread_is_known(rule)
  spread = to_sample_std(rule.std or 0.0, rule.seeds or 2) if known else 0.0
  # An exact number has no variance: Welch's formula is then our own interval.
  low, high = welch_interval(
    Sample(mine.mean, mine.sample_std, mine.n),
    Sample(rule.mean, spread, (rule.seeds or 2) if known else 2),
  )
  tolerance = rule.tolerance or 0.0
  interval = low - tolerance, high + tolerance
  verdict = _contains_none(interval, max(abs(mine.mean), abs(rule.mean)))
  return Verdict(verdict, difference, interval, "", mine.n)


def _judge_ratio(
  ours: Values, theirs: Values, rule: PublishedNumber, dataset: str | None
) -> Verdict:
  seeds = sorted({*ours.numbers} & {*theirs.numbers})
  pairs = [(ours.numbers[seed], theirs.numbers[seed]) for seed in seeds]
  usable = all(0 < number < float("inf") for pair in pairs for number in pair)
  logs = paired_logs(*zip(*pairs, strict=True)) if pairs and usable else []
  mine = estimate(logs)
  ratio = None if mine.mean is None else exp(mine.mean)
  difference = None if ratio is None else ratio - rule.mean
  spread = mine.interval and (exp(mine.interval[0]), exp(mine.interval[1]))
  if reason := _refusal(ours, rule, dataset) or _refusal(theirs, rule, dataset):
    if ours.inexact or theirs.inexact:
      ratio, spread = None, None
    return Verdict(
      INCOMPARABLE,
      reason=reason,
      seeds=len(seeds),
      ratio=ratio,
      ratio_interval=spread,
    )
  if not usable:
    reason = "a ratio needs finite numbers above 0"
    return Verdict(INCOMPARABLE, reason=reason, seeds=len(seeds))
  if reason := _too_little(mine, rule, "common seed"):
    return Verdict(INCOMPARABLE, difference, None, reason, mine.n, ratio)
  assert mine.mean is not None
  assert ratio is not None
  between = _between_ratios(
    Sample(mine.mean, mine.sample_std or 0, mine.n), rule
  )
  tolerance = rule.tolerance or 0.0
  interval = between[0] - tolerance, between[1] + tolerance
  verdict = _contains_none(interval, max(ratio, rule.mean))
  return Verdict(verdict, difference, interval, "", mine.n, ratio, spread)


def _between_ratios(mine: Sample, rule: PublishedNumber) -> Interval:
  """The interval of our ratio less the published one, from its logarithm."""
  published = estimate(paired_logs(rule.values, [1.0] * len(rule.values)))
  if published.sample_std is not None and published.mean is not None:
    theirs = Sample(published.mean, published.sample_std, published.n)
  else:
    known = _spread_is_known(rule)
    n = (rule.seeds or 2) if known else 2
    relative = to_sample_std(rule.std or 0.0, n) / rule.mean if known else 0.0
    theirs = Sample(paired_logs([rule.mean], [1.0])[0], relative, n)
  low, high = welch_interval(mine, theirs)
  return rule.mean * (exp(low) - 1), rule.mean * (exp(high) - 1)


def _refusal(ours: Values, rule: PublishedNumber, dataset: str | None) -> str:
  """Why a measurement is not that of the published number; "" if it is."""
  if dataset != rule.dataset:
    return f"measured on {dataset}, published on {rule.dataset}"
  if ours.step != rule.step:
    return f"measured at step {ours.step}, published at step {rule.step}"
  if ours.shared:
    return SHARED.format(n=len(ours.numbers))
  return bounded(list(ours.bounds.values()))


def _too_little(
  mine: Estimate, rule: PublishedNumber, kind: str = "seed"
) -> str:
  """Why there is no interval to judge by; "" if there is."""
  if mine.n < 2:
    return f"{mine.n} {kind}: an interval needs at least 2"
  if mine.finite < mine.n:
    return f"only {mine.finite} of {mine.n} seeds are finite"
  if not _spread_is_known(rule) and rule.tolerance is None:
    return "the published spread is unknown and no tolerance is set"
  return ""


def _spread_is_known(rule: PublishedNumber) -> bool:
  return rule.std is not None and (rule.seeds or 0) >= 2


SHARED = "its {n} seeds ran together and took one time, not {n}"


def bounded(bounds: Sequence[int]) -> str:
  """Says how many values are known only to a bound; "" if none are."""
  parts = []
  for sign, word in ((1, "least"), (-1, "most")):
    if count := sum(bound == sign for bound in bounds):
      total = len(bounds)
      parts.append(f"known only to be at {word} that for {count} of {total}")
  return " and ".join(parts) + " seeds" if parts else ""


def _contains_none(interval: Interval, size: float) -> str:
  """The verdict on the interval of a difference of numbers of about a size."""
  low, high = interval
  rounding = ROUNDING * size
  return HOLDS if low <= rounding and high >= -rounding else FAILS
