"""Whether a published number or a claim holds, by rule.

A published number *holds* when the 95% interval of (ours - published) lies
within its margin, which is stated with it, *does not hold* when it lies wholly
outside, and is *undecided* between: few seeds show that nothing is known, not
that two numbers are equal. A claim *holds* when the 95% interval of the
difference, paired by seed, lies wholly on its side of the margin, *does not
hold* when wholly on the other, and is *undecided* between. Either *cannot be
compared* where the comparison would mean nothing; the reason says why, and of
what is undecided, how many seeds like these would decide it.

Ratios are judged in the same way on their logarithms: see `intervals`. Each
claim has the p-value that belongs to its verdict, below .05 where it holds, and
one with Holm's correction for all claims of the run.

Some values are known only to be at least, or at most, a number (steps to an
accuracy that was never reached; the largest learning rate of a grid). A claim
is then judged on those numbers, its interval has no other end, and its verdict
is kept only where the true values could not change it; otherwise it is
undecided. A published number is not compared with them.
"""

import bisect
import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

from bnjax.lab.results.intervals import (
  Interval,
  Sample,
  estimate,
  exp,
  exps,
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
_MOST_SEEDS = 10_000


class Verdict(NamedTuple):
  """A verdict with what it rests on.

  Attributes:
    difference: ours - published (ours / published, if on the log scale), or
      arm - versus; None if not computable.
    interval: its 95% interval, where there is one.
    ratio: of the two arms, where that is what is judged.
    ratio_interval: its 95% interval, where there is one.
    bound: 1 where the true difference or ratio is known only to be at least
      this one, -1 where at most.
    seeds: how many seeds, or pairs of them, it rests on.
    verdict: HOLDS, FAILS, UNDECIDED or INCOMPARABLE.
    needed: how many seeds would decide what is undecided, if their mean and
      spread stayed as they are; None if none would.
    p: the least p at which a claim would hold with an interval of 1 - p.
    p_holm: the same with Holm's correction for the claims of a run.
    reason: why it cannot be compared or is undecided; otherwise empty.
  """

  difference: float | None = None
  interval: Interval | None = None
  ratio: float | None = None
  ratio_interval: Interval | None = None
  bound: int = 0
  seeds: int = 0
  verdict: str = INCOMPARABLE
  needed: int | None = None
  p: float | None = None
  p_holm: float | None = None
  reason: str = ""


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
  of seeds is unknown it is the interval of our mean alone.

  A rule with `relative_to` is compared with the ratio to `theirs`, paired by
  seed; on the log scale a published standard deviation counts relative to its
  mean. A difference or ratio is stated also where it was measured on another
  data set than the published number.
  """
  relative = rule.relative_to is not None
  theirs = theirs if relative and theirs is not None else ours
  seeds = sorted({*ours.numbers} & {*theirs.numbers})
  values = [ours.numbers[seed] for seed in seeds]
  if rule.on_logs:
    others = [theirs.numbers[seed] if relative else 1.0 for seed in seeds]
    if not all(0 < number < math.inf for number in [*values, *others]):
      reason = _refusal(ours, rule, dataset)
      reason = reason or "a ratio needs finite numbers above 0"
      return Verdict(reason=reason, seeds=len(seeds))
    values = paired_logs(values, others)
  mine, published = estimate(values), _published(rule)
  say = exp if rule.on_logs else float
  found = Verdict(
    None if mine.mean is None else say(mine.mean - published.mean),
    seeds=mine.n,
  )
  reason = _refusal(ours, rule, dataset) or _refusal(theirs, rule, dataset)
  if relative and not ours.inexact and not theirs.inexact:
    ratio = None if mine.mean is None else exp(mine.mean)
    found = found._replace(ratio=ratio, ratio_interval=exps(mine.interval))
  if mine.n < 2:
    kind = "common seed" if relative else "seed"
    reason = reason or f"{mine.n} {kind}: an interval needs at least 2"
  elif mine.finite < mine.n:
    reason = reason or f"only {mine.finite} of {mine.n} seeds are finite"
  if reason or mine.mean is None or mine.sample_std is None:
    return found._replace(reason=reason)
  sample = Sample(mine.mean, mine.sample_std, mine.n)
  size = 1.0 if rule.on_logs else max(abs(mine.mean), abs(rule.mean))
  found = decided(
    found,
    lambda n: welch_interval(sample._replace(n=n), published),
    lambda interval, rounding: inside(interval, rule.room, rounding),
    ROUNDING * size,
  )
  if rule.on_logs:
    found = found._replace(interval=exps(found.interval))
  return found


def decided(
  found: Verdict,
  interval: Callable[[int], Interval],
  side: Callable[[Interval, float], str],
  rounding: float,
) -> Verdict:
  """The verdict on an interval; of an undecided one, what would decide it.

  Args:
    found: what is known, of so many seeds.
    interval: of a number of seeds, if mean and spread stayed.
    side: the verdict on an interval whose ends may be off by a rounding.
    rounding: of this one.
  """
  now = interval(found.seeds)
  found = found._replace(interval=now, verdict=side(now, rounding))
  if found.verdict != UNDECIDED:
    return found
  needed = seeds_to_decide(found.seeds, lambda n: side(interval(n), 0.0))
  return found._replace(needed=needed, reason=said(needed))


def inside(interval: Interval, room: Interval, rounding: float) -> str:
  """Whether an interval lies in a room, wholly outside of it, or neither.

  >>> inside((-0.01, 0.02), (-0.05, 0.05), 0.0)
  'holds'
  >>> inside((-0.01, 0.06), (-0.05, 0.05), 0.0)
  'undecided'
  """
  (low, high), (least, most) = interval, room
  if least - rounding <= low and high <= most + rounding:
    return HOLDS
  if low > most + rounding or high < least - rounding:
    return FAILS
  return UNDECIDED


def seeds_to_decide(now: int, judge: Callable[[int], str]) -> int | None:
  """How many seeds, if mean and spread stayed; None if more than 10,000."""
  decided = lambda n: judge(n) != UNDECIDED
  if not decided(_MOST_SEEDS):
    return None
  numbers = range(_MOST_SEEDS + 1)
  return bisect.bisect_left(numbers, True, lo=now, key=decided)


def said(needed: int | None) -> str:
  """What `seeds_to_decide` gives, in words."""
  if needed is None:
    return f"not even {_MOST_SEEDS:,} seeds like these would decide"
  return f"about {needed:,} seeds like these would decide"


def _published(rule: PublishedNumber) -> Sample:
  """What is published, of logarithms where it is compared on those.

  An exact number has no variance: Welch's formula is then our own interval.
  """
  n = rule.seeds or 0
  known = rule.std is not None and n >= 2
  spread = to_sample_std(rule.std or 0.0, n) if known else 0.0
  n = n if known else 2
  if not rule.on_logs:
    return Sample(rule.mean, spread, n)
  logs = estimate(paired_logs(rule.values, [1.0] * len(rule.values)))
  if logs.sample_std is not None and logs.mean is not None:
    return Sample(logs.mean, logs.sample_std, logs.n)
  return Sample(math.log(rule.mean), spread / rule.mean, n)


def _refusal(ours: Values, rule: PublishedNumber, dataset: str | None) -> str:
  """Why a measurement is not that of the published number; "" if it is."""
  if dataset != rule.dataset:
    return f"measured on {dataset}, published on {rule.dataset}"
  if ours.step != rule.step:
    return f"measured at step {ours.step}, published at step {rule.step}"
  if ours.shared:
    return SHARED.format(n=len(ours.numbers))
  return bounded(list(ours.bounds.values()))


SHARED = "its {n} seeds ran together and took one time, not {n}"


def bounded(bounds: Sequence[int]) -> str:
  """Says how many values are known only to a bound; "" if none are."""
  parts = []
  for sign, word in ((1, "least"), (-1, "most")):
    if count := sum(bound == sign for bound in bounds):
      total = len(bounds)
      parts.append(f"known only to be at {word} that for {count} of {total}")
  return " and ".join(parts) + " seeds" if parts else ""
