"""Means over seeds and their 95% Student t intervals.

With `s` the sample standard deviation (divide by n - 1) of n values,

  mean:        mean(x) +- t(n - 1) * s / sqrt(n)
  difference:  mean(a) - mean(b) +- t(v) * sqrt(s_a^2 / n_a + s_b^2 / n_b)

where `v` is Welch's number of degrees of freedom. A paired difference is the
first formula applied to `a - b`, and a paired ratio is the exponential of the
first formula applied to `log(a / b)`: its estimate is a geometric mean.

References:
  B. L. Welch, "The generalization of 'Student's' problem when several
  different population variances are involved", Biometrika 34, 1947.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy import special

_CONFIDENCE = 0.95

Interval = tuple[float, float]


class Sample(NamedTuple):
  """Mean, sample standard deviation (n - 1) and number of some values."""

  mean: float
  sample_std: float
  n: int


class Estimate(NamedTuple):
  """A metric over seeds. None where there is too little to state it.

  Attributes:
    mean: over the finite values; None without any.
    std: divided by n, as the published code does; None below two values.
    sample_std: divided by n - 1; None below two values.
    interval: 95% Student t interval of the mean; None below two values.
    n: the number of values, finite or not.
    finite: how many of them are finite, which is what `mean` is taken over.
  """

  mean: float | None
  std: float | None
  sample_std: float | None
  interval: Interval | None
  n: int
  finite: int


def _t_quantile(degrees: float) -> float:
  """The two-sided 95% quantile of Student's t.

  >>> round(_t_quantile(4), 3)
  2.776
  """
  return float(special.stdtrit(degrees, 0.5 + _CONFIDENCE / 2))


def to_sample_std(std: float, n: int) -> float:
  """Turns a standard deviation divided by n into one divided by n - 1."""
  return std * math.sqrt(n / (n - 1))


def mean_interval(values: Sequence[float] | np.ndarray) -> Interval:
  """The 95% interval of the mean of two or more finite values."""
  array = np.asarray(values, np.float64)
  mean, error = float(array.mean()), float(array.std(ddof=1))
  half = _t_quantile(array.size - 1) * error / math.sqrt(array.size)
  return mean - half, mean + half


def welch_interval(a: Sample, b: Sample) -> Interval:
  """The 95% interval of a difference of means, of unequal variances.

  Both samples are of two or more values; it is a point where neither varies.
  """
  difference = a.mean - b.mean
  square_a, square_b = a.sample_std**2 / a.n, b.sample_std**2 / b.n
  square = square_a + square_b
  if square == 0:
    return difference, difference
  # As shares of the whole, so that tiny variances do not underflow.
  share_a, share_b = square_a / square, square_b / square
  degrees = 1 / (share_a**2 / (a.n - 1) + share_b**2 / (b.n - 1))
  half = _t_quantile(degrees) * math.sqrt(square)
  return difference - half, difference + half


def paired_logs(ours: Sequence[float], theirs: Sequence[float]) -> list[float]:
  """The logarithms of the ratios of positive values, pair by pair."""
  pairs = zip(ours, theirs, strict=True)
  # Each logarithm by itself: the ratio of tiny numbers may overflow.
  return [math.log(a) - math.log(b) for a, b in pairs]


def exp(value: float) -> float:
  """The exponential; infinite where it overflows."""
  return float(np.exp(value)) if value < 709 else math.inf


def exps(interval: Interval | None) -> Interval | None:
  """The exponentials of both ends."""
  return interval and (exp(interval[0]), exp(interval[1]))


def p_value(distance: float, values: Sequence[float] | np.ndarray) -> float:
  """The p at which the interval of 1 - p of a mean reaches so far to one side.

  It is that of a two-sided t test, of which only one side counts: the distance
  from the mean to the margin is above 0 if the mean is where it was claimed to
  be.
  """
  array = np.asarray(values, np.float64)
  error = float(array.std(ddof=1)) / math.sqrt(array.size)
  if error == 0:
    return 0.0 if distance > 0 else 1.0
  tail = float(special.stdtr(array.size - 1, -distance / error))
  return min(1.0, 2 * tail)


def holm(ps: Sequence[float]) -> list[float]:
  """Holm's correction of the p-values of several tests, in their order.

  Taken together, the chance that any test is below a level by luck is at most
  that level (S. Holm, Scandinavian Journal of Statistics 6, 1979).

  >>> [round(p, 3) for p in holm([0.01, 0.04, 0.03])]
  [0.03, 0.06, 0.06]
  """
  found, least = [0.0] * len(ps), 0.0
  for rank, place in enumerate(sorted(range(len(ps)), key=ps.__getitem__)):
    least = max(least, min(1.0, (len(ps) - rank) * ps[place]))
    found[place] = least
  return found


def estimate(values: Sequence[float] | np.ndarray) -> Estimate:
  """Describes the values of one metric, one per seed.

  The mean is of the finite ones, and `finite` of `n` says how many they are.

  >>> estimate([0.25, 0.75]).mean, estimate([0.5, float("nan")])[-2:]
  (0.5, (2, 1))
  """
  array = np.asarray(values, np.float64)
  finite = array[np.isfinite(array)]
  if not finite.size:
    return Estimate(None, None, None, None, array.size, 0)
  mean = float(finite.mean())
  if finite.size == 1:
    return Estimate(mean, None, None, None, array.size, 1)
  return Estimate(
    mean=mean,
    std=float(finite.std()),
    sample_std=float(finite.std(ddof=1)),
    interval=mean_interval(finite),
    n=array.size,
    finite=finite.size,
  )
