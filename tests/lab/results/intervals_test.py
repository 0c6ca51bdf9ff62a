import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from scipy import stats

from bnjax.lab.results.intervals import (
  Sample,
  estimate,
  mean_interval,
  to_sample_std,
  welch_interval,
)

A = [0.951, 0.948, 0.955, 0.949, 0.953]
B = [0.912, 0.921, 0.905]

samples = st.lists(st.floats(-100, 100), min_size=2, max_size=8).filter(
  lambda values: np.std(values) > 1e-3
)


def sample(values):
  return Sample(np.mean(values), np.std(values, ddof=1), len(values))


def test_estimate_of_five_seeds_by_hand():
  # sum of squared deviations of A: 1e-6 * (0.04 + 10.24 + 14.44 + 4.84 + 3.24)
  got = estimate(A)
  assert got.mean == pytest.approx(0.9512)
  assert got.std == pytest.approx((32.8e-6 / 5) ** 0.5)
  assert got.sample_std == pytest.approx((32.8e-6 / 4) ** 0.5)
  half = 2.7764451 * (32.8e-6 / 4 / 5) ** 0.5
  assert got.interval == pytest.approx((0.9512 - half, 0.9512 + half))
  assert (got.n, got.finite) == (5, 5)


@settings(deadline=None)
@given(samples)
def test_mean_interval_is_that_of_scipys_t_test(values):
  expected = stats.ttest_1samp(values, 0).confidence_interval(0.95)
  assert mean_interval(values) == pytest.approx(tuple(expected))


@settings(deadline=None)
@given(samples, samples)
def test_welch_interval_is_that_of_scipys_t_test(a, b):
  test = stats.ttest_ind(a, b, equal_var=False)
  expected = tuple(test.confidence_interval(0.95))
  assert welch_interval(sample(a), sample(b)) == pytest.approx(expected)


def test_interval_of_paired_differences_is_scipys():
  b = [0.93, 0.95, 0.94, 0.92, 0.96]
  expected = tuple(stats.ttest_rel(A, b).confidence_interval(0.95))
  assert mean_interval(np.subtract(A, b)) == pytest.approx(expected)


def test_welch_interval_without_variance_is_a_point():
  assert welch_interval(Sample(0.5, 0, 5), Sample(0.25, 0, 3)) == (0.25, 0.25)


def test_welch_interval_with_one_exact_number_is_the_other_ones():
  low, high = mean_interval(B)
  got = welch_interval(sample(B), Sample(0.9, 0.0, 7))
  assert got == pytest.approx((low - 0.9, high - 0.9))


def test_sample_std_is_numpys_with_one_degree_of_freedom_less():
  assert to_sample_std(np.std(B), 3) == pytest.approx(np.std(B, ddof=1))


def test_values_that_are_not_finite_are_counted_and_not_averaged():
  got = estimate([1.0, np.nan, 3.0, np.inf])
  assert (got.mean, got.std, got.n, got.finite) == (2.0, 1.0, 4, 2)


def test_one_finite_value_has_a_mean_but_no_spread():
  assert estimate([np.nan, 2.5]) == (2.5, None, None, None, 2, 1)


@pytest.mark.parametrize("values", [[], [np.nan, np.inf]])
def test_without_finite_values_there_is_no_mean(values):
  assert estimate(values) == (None, None, None, None, len(values), 0)
