import dataclasses

import numpy as np
import pytest
from hypothesis import given, strategies as st
from scipy import stats

from bnjax.results.aggregate import curves
from bnjax.results.intervals import estimate
from bnjax.results.rules import Claim, PublishedNumber
from bnjax.results.verdicts import judge_claim, judge_published

OURS = [0.951, 0.948, 0.955, 0.949, 0.953]
RULE = PublishedNumber(
  arm="a",
  metric="test_accuracy",
  mean=0.9,
  std=0.0079,
  seeds=5,
  dataset="mnist",
  step=1000,
  source="a post",
)


def judge(values, *, dataset="mnist", step=1000, **changes):
  rule = dataclasses.replace(RULE, **changes)
  return judge_published(estimate(values), rule, dataset=dataset, step=step)


def test_published_interval_is_welchs_with_corrected_std():
  theirs = [0.88, 0.90, 0.91, 0.89, 0.92, 0.90]
  got = judge(OURS, mean=np.mean(theirs), std=np.std(theirs), seeds=6)
  test = stats.ttest_ind(OURS, theirs, equal_var=False)
  assert got.interval == pytest.approx(tuple(test.confidence_interval(0.95)))
  assert got.difference == pytest.approx(0.9512 - 0.9)
  assert (got.verdict, got.reason) == ("does not hold", "")


@pytest.mark.parametrize(
  ("mean", "verdict"),
  [(0.955, "holds"), (0.95, "holds"), (0.8, "does not hold")],
)
def test_published_holds_when_the_interval_contains_no_difference(
  mean, verdict
):
  assert judge(OURS, mean=mean).verdict == verdict


@pytest.mark.parametrize(
  ("change", "reason"),
  [
    ({"dataset": "mnist5k"}, "measured on mnist5k, published on mnist"),
    ({"dataset": None}, "measured on None, published on mnist"),
    ({"step": 20}, "measured at step 20, published at step 1000"),
    ({"std": None}, "the published spread is unknown and no tolerance is set"),
    ({"seeds": None}, "the published spread is unknown and no tolerance is"),
    ({"seeds": 1}, "the published spread is unknown and no tolerance is set"),
  ],
)
def test_published_that_cannot_be_compared_says_why(change, reason):
  got = judge(OURS, **change)
  assert got.verdict == "cannot be compared"
  assert got.reason.startswith(reason)
  assert got.difference == pytest.approx(0.0512)


def test_published_needs_two_seeds_and_finite_values():
  assert judge([0.9]).reason == "1 seed: an interval needs at least 2"
  assert judge([0.9, 0.9, np.nan]).reason == "only 2 of 3 seeds are finite"
  assert judge([np.nan, np.nan]).difference is None


def test_unknown_published_spread_uses_our_interval_and_the_tolerance():
  low, high = estimate(OURS).interval
  got = judge(OURS, std=None, tolerance=0.05)
  assert got.interval == pytest.approx((low - 0.95, high - 0.85))
  assert got.verdict == "holds"
  assert judge(OURS, std=None, tolerance=0.04).verdict == "does not hold"


def test_published_without_any_variance():
  assert judge([0.1] * 3, mean=0.1, std=0.0).verdict == "holds"
  assert judge([0.1] * 3, mean=0.1001, std=0.0).verdict == "does not hold"


B = [0.93, 0.95, 0.94, 0.92, 0.96]


def rows(values, arm, step=10, metric="acc"):
  return [
    {"arm": arm, "seed": seed, "step": step, metric: value}
    for seed, value in enumerate(values)
  ]


def claim(a, b, versus="b", steps=None, **fields):
  rule = Claim(
    name="c", text="a against b", metric="acc", arm="a", versus=versus, **fields
  )
  found = curves([*rows(a, "a"), *rows(b, "b")])
  return judge_claim(rule, found, steps=steps or {"a": 10, "b": 10})


def test_claim_interval_is_that_of_the_paired_t_test():
  got = claim(OURS, B)
  expected = stats.ttest_rel(OURS, B).confidence_interval(0.95)
  assert got.interval == pytest.approx(tuple(expected))
  assert got.difference == pytest.approx(0.0112)
  assert (got.verdict, got.seeds) == ("undecided", 5)


def test_claim_is_paired_by_seed_not_by_order():
  found = curves([*rows(OURS, "a"), *rows(OURS, "b")[::-1]])
  rule = Claim(name="c", text="", metric="acc", arm="a", versus="b")
  got = judge_claim(rule, found, steps={"a": 10, "b": 10})
  assert (got.difference, got.interval) == (0.0, (0.0, 0.0))


@pytest.mark.parametrize(
  ("direction", "margin", "verdict"),
  [
    # The difference is 0.2 with a 95% interval of 0.2 +- 0.0098.
    ("greater", 0.0, "holds"),
    ("greater", 0.18, "holds"),
    ("greater", 0.195, "undecided"),
    ("greater", 0.22, "does not hold"),
    ("less", 0.0, "does not hold"),
    ("within", 0.22, "holds"),
    ("within", 0.2, "undecided"),
    ("within", 0.18, "does not hold"),
  ],
)
def test_claim_verdicts(direction, margin, verdict):
  a = [0.69, 0.70, 0.71, 0.695, 0.705]
  got = claim(a, [0.5] * 5, direction=direction, margin=margin)
  assert got.interval == pytest.approx((0.190184, 0.209816), abs=1e-6)
  assert got.verdict == verdict


def test_claim_less_is_greater_with_the_arms_exchanged():
  a, b = [0.2, 0.21, 0.19], [0.5, 0.49, 0.51]
  assert claim(a, b, direction="less", margin=0.2).verdict == "holds"
  assert claim(a, b, direction="less", margin=0.4).verdict == "does not hold"


@given(
  st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=2, max_size=6),
  st.floats(0, 0.5),
)
def test_a_claim_and_its_opposite_never_both_hold(pairs, margin):
  a, b = [p[0] for p in pairs], [p[1] for p in pairs]
  verdicts = {
    claim(a, b, direction=d, margin=margin).verdict
    for d in ("greater", "less", "within")
  }
  assert sum(1 for _ in verdicts if _ == "holds") <= 1
  greater = claim(a, b, margin=margin)
  exchanged = claim(b, a, direction="less", margin=margin)
  assert greater.verdict == exchanged.verdict


def test_claim_against_a_number_is_a_one_sample_test():
  got = claim(OURS, B, versus=0.9)
  low, high = stats.ttest_1samp(OURS, 0.9).confidence_interval(0.95)
  assert got.interval == pytest.approx((low - 0.9, high - 0.9))
  assert got.verdict == "holds"


def test_claim_without_variance():
  same = [0.25] * 3
  assert claim(same, same).verdict == "does not hold"
  assert claim([0.75] * 3, same, margin=0.25).verdict == "holds"
  assert claim([0.75] * 3, same, margin=0.5).verdict == "does not hold"


@pytest.mark.parametrize(
  ("a", "b", "fields", "reason"),
  [
    ([0.5], B, {}, "1 common seed: an interval needs at least 2"),
    ([0.5], B, {"versus": 0.1}, "1 seed: an interval needs at least 2"),
    (OURS, [], {}, "b has no acc at step 10"),
    (OURS, B, {"step": 20}, "a has no acc at step 20"),
    (OURS, B, {"steps": {"a": 10, "b": 99}}, "b has no acc at step 99"),
    (OURS, [None, *B[1:4], None], {}, "acc is not finite for seed 0, 4"),
  ],
)
def test_claim_that_cannot_be_judged_says_why(a, b, fields, reason):
  got = claim(a, b, **fields)
  assert (got.verdict, got.reason) == ("cannot be compared", reason)


def test_claim_can_be_judged_at_an_earlier_step():
  early = [*rows([0.9, 0.91], "a", 5), *rows([0.1, 0.12], "b", 5)]
  late = [*rows([0.5, 0.6], "a", 10), *rows([0.6, 0.5], "b", 10)]
  found = curves(early + late)
  rule = Claim(
    name="c", text="", metric="acc", arm="a", versus="b", step=5, margin=0.5
  )
  steps = {"a": 10, "b": 10}
  assert judge_claim(rule, found, steps=steps).verdict == "holds"
  last = dataclasses.replace(rule, step=None)
  assert judge_claim(last, found, steps=steps).verdict == "undecided"
