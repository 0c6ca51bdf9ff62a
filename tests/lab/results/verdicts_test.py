import dataclasses

import numpy as np
import pytest
from scipy import stats

from bnjax.lab.results.intervals import estimate
from bnjax.lab.results.measured import Values
from bnjax.lab.results.rules import PublishedNumber
from bnjax.lab.results.verdicts import (
  bounded,
  judge_published,
  said,
  seeds_to_decide,
)

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


# Ours is .9512 +- .003555, and an exact number's interval is ours.
@pytest.mark.parametrize(
  ("mean", "margin", "verdict"),
  [
    (0.95, None, "holds"),  # within one point, the default
    (0.9576, None, "holds"),
    (0.9577, None, "undecided"),
    (0.9648, None, "does not hold"),
    (0.95, 0.003, "undecided"),  # contains no difference: that is not equal
    (0.955, 0.0002, "does not hold"),
    (0.955, 0.001, "undecided"),
  ],
)
def test_published_holds_when_the_interval_lies_within_the_margin(
  mean, margin, verdict
):
  assert judge(OURS, mean=mean, std=0.0, margin=margin).verdict == verdict


def test_what_is_no_fraction_has_a_margin_of_a_tenth():
  for mean, verdict in ((-10.0, "holds"), (-9.0, "does not hold")):
    got = judge([-10.49, -10.5], metric="loss", std=None, mean=mean)
    assert got.verdict == verdict
  wide = judge([0.1, 0.9], mean=0.5, std=None)  # says nothing, and says so
  assert wide.verdict == "undecided"


def test_undecided_says_how_many_seeds_would_decide():
  got = judge(OURS, mean=0.953, std=0.0, margin=0.0025)
  # .0018 off: the half-width has to come down from .003555 to .0007.
  half = lambda n: stats.t.ppf(0.975, n - 1) * np.std(OURS, ddof=1) / n**0.5
  assert half(got.needed) <= 0.0007 < half(got.needed - 1)
  assert got.reason == f"about {got.needed} seeds like these would decide"
  # No seeds of ours make a published spread smaller.
  wide = judge(OURS, mean=0.95, std=0.02, seeds=3)
  assert (wide.verdict, wide.needed) == ("undecided", None)
  assert wide.reason == "not even 10,000 seeds like these would decide"
  verdict = lambda n: "holds" if n >= 1234 else "undecided"
  assert said(seeds_to_decide(2, verdict)) == (
    "about 1,234 seeds like these would decide"
  )


@pytest.mark.parametrize(
  ("change", "reason"),
  [
    ({"dataset": "mnist5k"}, "measured on mnist5k, published on mnist"),
    ({"dataset": None}, "measured on None, published on mnist"),
    ({"step": 20}, "measured at step 20, published at step 1000"),
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


@pytest.mark.parametrize("unknown", [{"std": None}, {"seeds": 1}])
def test_where_the_published_spread_is_unknown_the_interval_is_ours(unknown):
  low, high = estimate(OURS).interval
  got = judge(OURS, margin=0.06, **unknown)
  assert got.interval == pytest.approx((low - 0.9, high - 0.9))
  assert got.verdict == "holds"


def test_tiny_numbers_are_not_taken_for_rounding():
  tiny = [1.9e-44, 2.1e-44, 2.0e-44]
  far = {"metric": "loss", "mean": 3e-44, "std": 1e-46}
  assert judge(tiny, **far).verdict == "does not hold"
  assert judge([2e-44] * 2, **far | {"mean": 2e-44}).verdict == "holds"


def test_published_without_any_variance():
  exact = {"std": 0.0, "margin": 0.0}
  assert judge([0.1] * 3, mean=0.1, **exact).verdict == "holds"
  assert judge([0.1] * 3, mean=0.1001, **exact).verdict == "does not hold"


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


@pytest.mark.parametrize(
  ("low", "high", "verdict"),
  [
    # .9512 +- .003555, and a point on either side of the range.
    (0.956, 0.975, "holds"),
    (0.958, 0.975, "undecided"),
    (0.966, 0.975, "does not hold"),
  ],
)
def test_half_the_width_of_a_range_is_part_of_the_margin(low, high, verdict):
  middle = (low + high) / 2
  got = judge(OURS, mean=middle, low=low, high=high, std=None)
  assert got.verdict == verdict
  assert got.difference == pytest.approx(0.9512 - middle)


# Logarithms of the ratios: log 1.2, log 1.25, log 1.3.
FAST, SLOW = [10.0, 20.0, 40.0], [12.0, 25.0, 52.0]
LOGS = np.log([1.2, 1.25, 1.3])


def ratio(ours=SLOW, theirs=FAST, **changes):
  changes = {"std": None, "mean": 1.31} | changes
  return judge(ours, theirs=of(theirs), relative_to="b", **changes)


def test_ratio_is_the_geometric_mean_with_the_interval_of_its_logarithm():
  got = ratio()
  low, high = stats.ttest_1samp(LOGS, 0).confidence_interval(0.95)
  assert got.ratio == pytest.approx((1.2 * 1.25 * 1.3) ** (1 / 3))
  assert got.ratio_interval == pytest.approx((np.exp(low), np.exp(high)))
  assert got.ratio_interval == pytest.approx((1.131093, 1.379933), abs=1e-6)
  # Over an exact number: the interval of the ratio over it.
  assert got.difference == pytest.approx(got.ratio / 1.31)
  expected = (np.exp(low) / 1.31, np.exp(high) / 1.31)
  assert got.interval == pytest.approx(expected)
  assert (got.verdict, got.seeds) == ("undecided", 3)


@pytest.mark.parametrize(
  ("changes", "verdict"),
  [
    # [1.1311, 1.3799] against 1.1 times more or less of the published one.
    ({"mean": 1.2545}, "undecided"),
    ({"mean": 1.2544, "factor": 1.1001}, "undecided"),
    ({"mean": 1.25, "factor": 1.11}, "holds"),
    ({"mean": 1.6}, "does not hold"),
    ({"mean": 1.6, "factor": 1.2}, "undecided"),
    ({"mean": 1.0}, "does not hold"),
  ],
)
def test_ratio_verdicts(changes, verdict):
  assert ratio(**changes).verdict == verdict


def test_a_factor_compares_on_the_log_scale():
  tiny = [1e-44, 1e-46, 1e-45]
  got = judge(tiny, metric="loss", mean=1e-45, std=None, factor=1e3)
  assert got.difference == pytest.approx(1)
  low, high = np.exp(stats.ttest_1samp(np.log(tiny), 0).confidence_interval())
  assert got.interval == pytest.approx((low / 1e-45, high / 1e-45))
  assert (got.verdict, got.ratio) == ("holds", None)
  assert judge([1.0, 0.0], mean=1.0, factor=2.0).reason == (
    "a ratio needs finite numbers above 0"
  )


def test_ratio_of_published_runs_is_welchs_on_logarithms():
  runs = (1.6, 1.7, 1.9)
  mean = float(stats.gmean(runs))
  got = ratio(values=runs, mean=mean, std=float(np.std(runs)), seeds=3)
  test = stats.ttest_ind(LOGS, np.log(runs), equal_var=False)
  low, high = test.confidence_interval(0.95)
  assert got.interval == pytest.approx((np.exp(low), np.exp(high)))
  assert got.verdict == "does not hold"


def test_ratio_with_a_published_std_counts_it_relative_to_the_mean():
  wide = ratio(mean=1.6, std=0.3, seeds=2)
  assert wide.verdict == "undecided"
  assert ratio(mean=1.6, std=0.01, seeds=2).verdict == "does not hold"


@pytest.mark.parametrize(
  ("got", "reason"),
  [
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
