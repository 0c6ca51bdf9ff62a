"""Judges claims by paired t tests over seeds; see `verdicts`."""

import functools
import itertools
import math
import statistics
from collections.abc import Mapping, Sequence

from bnjax.lab.results import intervals, verdicts
from bnjax.lab.results.measured import Measured, Values
from bnjax.lab.results.names import words
from bnjax.lab.results.rules import Claim
from bnjax.lab.results.settings import setting

_BOUND = {1: "at least", -1: "at most"}
_EXACT = intervals.Sample(0.0, 0.0, 2)


def judge_claim(claim: Claim, measured: Measured) -> verdicts.Verdict:
  """Judges a claim on the seeds that both of its sides have.

  Runs of one seed share their initial weights and minibatches, so their
  difference is taken seed by seed and the interval is that of a paired t
  test; against a number, that of a one-sample t test. A ratio's interval is
  that of the difference of the logarithms. The largest value of a grid at which
  networks train is known only to lie below the grid's next one: the interval is
  wider by that much. Where values are known only to be at least (or at most)
  what was recorded, it has but one end, and that end is what is known.
  """
  dataset = setting(measured.config, claim.arm, "dataset", "name")
  if claim.dataset is not None and dataset != claim.dataset:
    return verdicts.Verdict(
      reason=f"measured on {dataset}, claimed of {claim.dataset}"
    )
  ours = measured.values(claim.arm, claim.metric, claim.step)
  if reason := _missing(claim.arm, claim.metric, ours):
    return verdicts.Verdict(reason=reason)
  if claim.versus_arm is None:
    assert isinstance(claim.versus, int | float)
    number = float(claim.versus)
    theirs = dict.fromkeys(ours.numbers, number)
    return _judge(claim, ours, Values(theirs, {}, ours.step, False))
  metric = claim.versus_metric or claim.metric
  other = measured.values(claim.versus_arm, metric, claim.step)
  if reason := _missing(claim.versus_arm, metric, other):
    return verdicts.Verdict(reason=reason)
  return _judge(claim, ours, other)


def _missing(arm: str, metric: str, values: Values) -> str:
  if not values.numbers:
    return f"{arm} has no {metric} at step {values.step}"
  if values.shared:
    return f"{arm}: {verdicts.SHARED.format(n=len(values.numbers))}"
  return ""


def _judge(claim: Claim, ours: Values, theirs: Values) -> verdicts.Verdict:
  seeds = sorted({*ours.numbers} & {*theirs.numbers})
  n = len(seeds)
  pairs = {seed: (ours.numbers[seed], theirs.numbers[seed]) for seed in seeds}
  if wrong := _unfit(pairs, claim):
    return verdicts.Verdict(reason=wrong, seeds=n)
  bounds = {
    seed: (ours.bounds.get(seed, 0), theirs.bounds.get(seed, 0))
    for seed in seeds
  }
  both = [seed for seed, (a, b) in bounds.items() if a and a == b]
  if both:
    one, other = _sides(claim)
    known = _BOUND[bounds[both[0]][0]]
    reason = (
      f"for seed {_listed(both)}, {one} and {other} are both known only to be "
      f"{known} what was recorded"
    )
    return verdicts.Verdict(reason=reason, seeds=n)
  signs = {a or -b for a, b in bounds.values()} - {0}
  if len(signs) > 1:
    reason = "the difference is bounded from below for some seeds only"
    return verdicts.Verdict(reason=reason, seeds=n)
  bound = signs.pop() if signs else 0
  if claim.is_ratio:
    values = (
      intervals.paired_logs(*zip(*pairs.values(), strict=True)) if pairs else []
    )
  else:
    values = [a - b for a, b in pairs.values()]
  mean = math.fsum(values) / n if n else None
  if mean is None or n < 2:
    kind = "seed" if claim.versus_arm is None else "common seed"
    reason = f"{n} {kind}: an interval needs at least 2"
    return _stated(claim, verdicts.Verdict(mean, reason=reason, seeds=n))
  # Where the mean may lie, seen from the values of a grid and from bounds.
  gap = _gap(claim, theirs, seeds), _gap(claim, ours, seeds)
  least = -math.inf if bound < 0 else mean - gap[0]
  most = math.inf if bound > 0 else mean + gap[1]
  size = max(map(abs, itertools.chain(*pairs.values())))
  rounding = verdicts.ROUNDING * (1.0 if claim.is_ratio else size)
  sample = intervals.Sample(0.0, statistics.stdev(values), n)

  def interval(seeds: int) -> intervals.Interval:
    low, high = intervals.welch_interval(sample._replace(n=seeds), _EXACT)
    return least + low, most + high

  found = verdicts.Verdict(
    mean if not bound else least if bound > 0 else most,
    bound=bound,
    seeds=n,
    p=intervals.p_value(_distance(claim, least, most, rounding), values),
  )
  side = functools.partial(_side, claim)
  found = verdicts.decided(found, interval, side, rounding)
  if found.verdict == verdicts.UNDECIDED and found.needed is None:
    if bound:
      what = "ratio" if claim.is_ratio else "difference"
      reason = f"the {what} is known only to be {_BOUND[bound]} this"
      found = found._replace(reason=reason)
    elif any(gap):
      reason = "the values of the grid lie too far apart to tell"
      found = found._replace(reason=reason)
  return _stated(claim, found)


def _gap(claim: Claim, values: Values, seeds: Sequence[int]) -> float:
  """How far the true value may lie above, up to the grid's next one."""
  number = math.log if claim.is_ratio else float
  return max(
    number(values.above[seed]) - number(values.numbers[seed])
    if seed in values.above
    else 0.0
    for seed in seeds
  )


def _stated(claim: Claim, found: verdicts.Verdict) -> verdicts.Verdict:
  """A verdict as it is stated: of a ratio, not of its logarithm."""
  if not claim.is_ratio:
    return found
  mean = found.difference
  return found._replace(
    difference=None,
    interval=None,
    ratio=None if mean is None else intervals.exp(mean),
    ratio_interval=intervals.exps(found.interval),
  )


def _unfit(pairs: Mapping[int, tuple[float, float]], claim: Claim) -> str:
  """Why the numbers have no difference, or no ratio; "" if they have."""
  infinite = [
    s for s, pair in pairs.items() if not all(map(math.isfinite, pair))
  ]
  if infinite:
    return f"{claim.metric} is not finite for seed {_listed(infinite)}"
  none = [s for s, pair in pairs.items() if min(pair) <= 0]
  if claim.is_ratio and none:
    return f"{claim.metric} is not above 0 for seed {_listed(none)}: no ratio"
  return ""


def _listed(seeds: Sequence[int]) -> str:
  return ", ".join(map(str, seeds))


def _sides(claim: Claim) -> tuple[str, str]:
  """The two things compared, in words."""
  ours = f"{words(claim.metric)} of {claim.arm}"
  other = words(claim.versus_metric or claim.metric)
  return ours, f"{other} of {claim.versus_arm}"


def _margin(claim: Claim) -> float:
  return math.log(claim.margin or 1) if claim.is_ratio else claim.margin


def _side(claim: Claim, interval: intervals.Interval, rounding: float) -> str:
  """The verdict on the interval of a difference, or of a ratio's logarithm."""
  (low, high), margin = interval, _margin(claim)
  if claim.direction in ("within", "ratio_within"):
    return verdicts.inside(interval, (-margin, margin), rounding)
  if claim.direction in ("less", "ratio_less"):
    low, high = -high, -low
  if low > margin + rounding:
    return verdicts.HOLDS
  return verdicts.FAILS if high <= margin + rounding else verdicts.UNDECIDED


def _distance(
  claim: Claim, least: float, most: float, rounding: float
) -> float:
  """How far a mean lies on the claim's side of the margin."""
  margin = _margin(claim)
  if claim.direction in ("within", "ratio_within"):
    return min(margin - most, least + margin) + rounding
  if claim.direction in ("less", "ratio_less"):
    return -most - margin - rounding
  return least - margin - rounding
