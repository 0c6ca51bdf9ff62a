"""Whether a claim holds; `verdicts` says what the words mean."""

import itertools
import math
from collections.abc import Mapping, Sequence

from bnjax.lab.results.intervals import (
  Interval,
  exp,
  mean_interval,
  paired_logs,
)
from bnjax.lab.results.measured import Measured, Values
from bnjax.lab.results.names import words
from bnjax.lab.results.rules import Claim
from bnjax.lab.results.settings import setting
from bnjax.lab.results.verdicts import (
  FAILS,
  HOLDS,
  INCOMPARABLE,
  ROUNDING,
  SHARED,
  UNDECIDED,
  Verdict,
)

_BOUND = {1: "at least", -1: "at most"}


def judge_claim(claim: Claim, measured: Measured) -> Verdict:
  """Judges a claim on the seeds that both of its sides have.

  Runs of one seed share their initial weights and minibatches, so their
  difference is taken seed by seed and the interval is that of a paired t
  test; against a number, that of a one-sample t test. A ratio's interval is
  that of the difference of the logarithms. The largest value of a grid at which
  networks train is known only to lie below the grid's next one: the interval is
  wider by that much.

  Args:
    claim: the rule.
    measured: the records.

  Returns:
    The verdict with the mean difference, arm - versus, or the ratio.
  """
  dataset = setting(measured.config, claim.arm, "dataset", "name")
  if claim.dataset is not None and dataset != claim.dataset:
    return _refuse(f"measured on {dataset}, claimed of {claim.dataset}")
  ours = measured.values(claim.arm, claim.metric, claim.step)
  if reason := _missing(claim.arm, claim.metric, ours):
    return _refuse(reason)
  if claim.versus_arm is None:
    assert isinstance(claim.versus, int | float)
    number = float(claim.versus)
    theirs = dict.fromkeys(ours.numbers, number)
    return _judge(claim, ours, Values(theirs, {}, ours.step, False))
  metric = claim.versus_metric or claim.metric
  other = measured.values(claim.versus_arm, metric, claim.step)
  if reason := _missing(claim.versus_arm, metric, other):
    return _refuse(reason)
  return _judge(claim, ours, other)


def _refuse(reason: str) -> Verdict:
  return Verdict(INCOMPARABLE, reason=reason)


def _missing(arm: str, metric: str, values: Values) -> str:
  if not values.numbers:
    return f"{arm} has no {metric} at step {values.step}"
  if values.shared:
    return f"{arm}: {SHARED.format(n=len(values.numbers))}"
  return ""


def _judge(claim: Claim, ours: Values, theirs: Values) -> Verdict:
  seeds = sorted({*ours.numbers} & {*theirs.numbers})
  n = len(seeds)
  pairs = {seed: (ours.numbers[seed], theirs.numbers[seed]) for seed in seeds}
  wrong = _unfit(pairs, claim)
  if wrong:
    return Verdict(INCOMPARABLE, reason=wrong, seeds=n)
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
    return Verdict(INCOMPARABLE, reason=reason, seeds=n)
  signs = {a or -b for a, b in bounds.values()} - {0}
  if len(signs) > 1:
    reason = "the difference is bounded from below for some seeds only"
    return Verdict(INCOMPARABLE, reason=reason, seeds=n)
  if claim.is_ratio:
    values = paired_logs(*zip(*pairs.values(), strict=True)) if pairs else []
  else:
    values = [a - b for a, b in pairs.values()]
  mean = math.fsum(values) / n if n else None
  kind = "seed" if claim.versus_arm is None else "common seed"
  reason = f"{n} {kind}: an interval needs at least 2" if n < 2 else ""
  interval = mean_interval(values) if n >= 2 else None
  if interval is not None:
    interval, resolution = _widened(claim, interval, ours, theirs, seeds)
  verdict = INCOMPARABLE
  if interval is not None:
    size = max(map(abs, itertools.chain(*pairs.values())))
    rounding = ROUNDING * (1.0 if claim.is_ratio else size)
    verdict = _side(claim, *interval, rounding)
    if verdict == UNDECIDED and resolution:
      reason = "the values of the grid lie too far apart to tell"
  bound = signs.pop() if signs else 0
  if (
    interval is not None
    and bound
    and not _stands(claim, verdict, interval, bound)
  ):
    verdict = UNDECIDED
    what = "ratio" if claim.is_ratio else "difference"
    reason = f"the {what} is known only to be {_BOUND[bound]} this"
  return _stated(claim, verdict, mean, interval, reason, n, bound)


def _widened(
  claim: Claim,
  interval: Interval,
  ours: Values,
  theirs: Values,
  seeds: Sequence[int],
) -> tuple[Interval, bool]:
  """The interval with what lies between the values of a grid, if anything."""

  def room(values: Values) -> float:
    number = math.log if claim.is_ratio else float
    return max(
      number(values.above[seed]) - number(values.numbers[seed])
      if seed in values.above
      else 0.0
      for seed in seeds
    )

  below, above = room(theirs), room(ours)
  return (interval[0] - below, interval[1] + above), below + above > 0


def _stated(
  claim: Claim,
  verdict: str,
  mean: float | None,
  interval: Interval | None,
  reason: str,
  seeds: int,
  bound: int,
) -> Verdict:
  if not claim.is_ratio:
    return Verdict(verdict, mean, interval, reason, seeds, bound=bound)
  ratio = None if mean is None else exp(mean)
  between = interval and (exp(interval[0]), exp(interval[1]))
  return Verdict(verdict, None, None, reason, seeds, ratio, between, bound)


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


def _side(claim: Claim, low: float, high: float, rounding: float) -> str:
  """The verdict on the interval of a difference, or of a ratio's logarithm."""
  margin = math.log(claim.margin or 1) if claim.is_ratio else claim.margin
  if claim.direction in ("less", "ratio_less"):
    low, high = -high, -low
  if claim.direction == "within":
    if -margin - rounding <= low and high <= margin + rounding:
      return HOLDS
    outside = low > margin + rounding or high < -margin - rounding
    return FAILS if outside else UNDECIDED
  if low > margin + rounding:
    return HOLDS
  return FAILS if high <= margin + rounding else UNDECIDED


def _stands(claim: Claim, verdict: str, interval: Interval, bound: int) -> bool:
  """Whether a verdict stays if the true difference lies further out."""
  if claim.direction == "within":
    # Outside already, and the true difference lies only further outside.
    return verdict == FAILS and (interval[0] > 0) == (bound > 0)
  rising = claim.direction in ("greater", "ratio_greater")
  return verdict == (HOLDS if rising == (bound > 0) else FAILS)
