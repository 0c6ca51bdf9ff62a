import dataclasses

import numpy as np
import pytest
from scipy import stats

from bnjax.lab.results.intervals import estimate
from bnjax.lab.results.measured import Values
from bnjax.lab.results.rules import PublishedNumber
from bnjax.lab.results.verdicts import bounded, judge_published

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


def of(numbers, *, step=1000, bounds=(), shared=False):
  return Values(dict(enumerate(numbers)), dict(enumerate(bounds)), step, shared)


def judge(values, /, *, dataset="mnist", step=1000, theirs=None, **changes):
  rule = dataclasses.replace(RULE, **changes)
  if not isinstance(values, Values):
    values = of(values, step=step)
  return judge_published(values, rule, dataset=dataset, theirs=theirs)


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


def test_tiny_numbers_are_not_taken_for_rounding():
  tiny = [1.9e-44, 2.1e-44, 2.0e-44]
  far = {"mean": 3e-44, "std": 1e-46}
  assert judge(tiny, **far).verdict == "does not hold"
  assert judge(tiny, mean=2e-44, std=1e-46).verdict == "holds"
  assert judge([2e-44] * 2, mean=2e-44, std=0.0).verdict == "holds"


def test_published_without_any_variance():
  assert judge([0.1] * 3, mean=0.1, std=0.0).verdict == "holds"
  assert judge([0.1] * 3, mean=0.1001, std=0.0).verdict == "does not hold"


def test_a_number_known_only_to_a_bound_is_not_compared():
  got = judge(of([900.0, 1000.0, 1000.0], bounds=[0, 1, 1]), mean=800)
  assert got.verdict == "cannot be compared"
  assert got.reason == "known only to be at least that for 2 of 3 seeds"
  assert bounded([1, -1, 0]) == (
    "known only to be at least that for 1 of 3 and known only to be at most "
    "that for 1 of 3 seeds"
  )


def test_a_time_that_seeds_share_is_one_and_not_several():
  got = judge(of([3.0, 3.0], shared=True), mean=3.0)
  assert got.verdict == "cannot be compared"
  assert got.reason == "its 2 seeds ran together and took one time, not 2"


def test_a_range_is_its_middle_with_half_its_width_as_tolerance():
  # 0.9512 +- 0.00355 meets [0.954, 0.956] but not [0.956, 0.975].
  near = judge(OURS, mean=0.955, std=None, tolerance=0.001)
  far = judge(OURS, mean=0.9655, std=None, tolerance=0.0095)
  assert (near.verdict, far.verdict) == ("holds", "does not hold")


# Logarithms of the ratios: log 1.2, log 1.25, log 1.3.
FAST, SLOW = [10.0, 20.0, 40.0], [12.0, 25.0, 52.0]
LOGS = np.log([1.2, 1.25, 1.3])


def ratio(ours=SLOW, theirs=FAST, **changes):
  changes = {"std": None, "tolerance": 0.0, "mean": 1.31} | changes
  return judge(ours, theirs=of(theirs), relative_to="b", **changes)


def test_ratio_is_the_geometric_mean_with_the_interval_of_its_logarithm():
  got = ratio()
  low, high = stats.ttest_1samp(LOGS, 0).confidence_interval(0.95)
  assert got.ratio == pytest.approx((1.2 * 1.25 * 1.3) ** (1 / 3))
  assert got.ratio_interval == pytest.approx((np.exp(low), np.exp(high)))
  assert got.ratio_interval == pytest.approx((1.131093, 1.379933), abs=1e-6)
  assert got.difference == pytest.approx(got.ratio - 1.31)
  # Of an exact number: the interval of the ratio less it.
  expected = (np.exp(low) - 1.31, np.exp(high) - 1.31)
  assert got.interval == pytest.approx(expected)
  assert (got.verdict, got.seeds) == ("holds", 3)


@pytest.mark.parametrize(
  ("changes", "verdict"),
  [
    ({"mean": 1.14}, "holds"),
    ({"mean": 1.5}, "does not hold"),
    ({"mean": 1.5, "tolerance": 0.13}, "holds"),
    ({"mean": 1.0}, "does not hold"),
  ],
)
def test_ratio_verdicts(changes, verdict):
  assert ratio(**changes).verdict == verdict


def test_ratio_of_published_runs_is_welchs_on_logarithms():
  runs = (1.6, 1.7, 1.9)
  mean = float(stats.gmean(runs))
  got = ratio(values=runs, mean=mean, std=float(np.std(runs)), seeds=3)
  test = stats.ttest_ind(LOGS, np.log(runs), equal_var=False)
  low, high = test.confidence_interval(0.95)
  assert got.interval == pytest.approx(
    (mean * (np.exp(low) - 1), mean * (np.exp(high) - 1))
  )
  assert got.verdict == "does not hold"


def test_ratio_with_a_published_std_counts_it_relative_to_the_mean():
  wide = ratio(mean=1.6, std=0.3, seeds=2, tolerance=None)
  assert wide.verdict == "holds"
  assert ratio(mean=1.6, std=0.01, seeds=2, tolerance=None).verdict == (
    "does not hold"
  )


@pytest.mark.parametrize(
  ("got", "reason"),
  [
    (ratio(tolerance=None), "the published spread is unknown and no tolerance"),
    (ratio(ours=[1.0, 0.0]), "a ratio needs finite numbers above 0"),
    (ratio(ours=[1.0, np.nan]), "a ratio needs finite numbers above 0"),
    (ratio(ours=[1.0]), "1 common seed: an interval needs at least 2"),
    (ratio(ours=[]), "0 common seed: an interval needs at least 2"),
    (ratio(dataset="cifar10"), "measured on cifar10, published on mnist"),
    (
      judge(SLOW, theirs=of(FAST, shared=True), relative_to="b"),
      "its 3 seeds ran together and took one time, not 3",
    ),
  ],
)
def test_ratio_that_cannot_be_compared_says_why(got, reason):
  assert got.verdict == "cannot be compared"
  assert got.reason.startswith(reason)


def test_a_ratio_measured_on_other_data_is_stated_all_the_same():
  here, there = ratio(), ratio(dataset="cifar10")
  assert there.ratio == here.ratio
  assert there.ratio_interval == here.ratio_interval
  assert there.interval is None


def test_a_ratio_of_bounds_is_not_stated():
  late = of(SLOW, bounds=(0, 0, 1))
  got = judge(late, dataset="cifar10", theirs=of(FAST), relative_to="b")
  assert (got.ratio, got.ratio_interval) == (None, None)
