"""Percentiles and histograms of an array."""

import math
import operator
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from bnjax.lab.errors import UserError
from bnjax.lab.probes._rows import as_rows
from bnjax.lab.probes.moments import zero_fraction


class Histogram(NamedTuple):
  """Numbers per bin.

  Attributes:
    counts: `[bins]` of int.
    edges: `[bins + 1]`, increasing.
  """

  counts: jax.Array
  edges: jax.Array


class LogHistogram(NamedTuple):
  """Numbers per bin of `log10|x|`.

  Attributes:
    counts: `[bins]` of int.
    edges: `[bins + 1]`, decimal logarithms.
    zero_fraction: share of exact zeros, which are in no bin.
  """

  counts: jax.Array
  edges: jax.Array
  zero_fraction: jax.Array


def percentiles(x: jax.Array, q: float | Sequence[float]) -> jax.Array:
  """Returns percentiles, linearly interpolated as `numpy.percentile` does.

  Args:
    x: numbers of any shape.
    q: percentage in [0, 100], or several; static.

  Returns:
    A scalar, or as many numbers as `q` has; NaN where there is a NaN.

  Raises:
    UserError: a percentage is out of range.

  Example:
    >>> percentiles(jnp.arange(5.0), (15, 50, 85))
    Array([0.6, 2. , 3.4], dtype=float32)
  """
  percentages, several = _percentages(q)
  x = jnp.sort(as_rows(x).reshape(-1))
  places = [number / 100 * (x.size - 1) for number in percentages]
  lower = x[jnp.asarray([math.floor(place) for place in places])]
  upper = x[jnp.asarray([math.ceil(place) for place in places])]
  # Between equal neighbours there is nothing to add, infinities included.
  step = jnp.where(lower == upper, 0, upper - lower)
  result = lower + step * jnp.asarray([p % 1 for p in places], x.dtype)
  result = jnp.where(jnp.isnan(x[-1]), jnp.nan, result)  # sorted last
  return result if several else result[0]


def histogram(
  x: jax.Array,
  bins: int = 60,
  range: tuple[float, float] | None = None,
) -> Histogram:
  """Counts numbers in bins of equal width, as `numpy.histogram` does.

  The last bin has both of its edges. Numbers out of the range and those that
  are not finite are in no bin.

  Args:
    x: numbers of any shape.
    bins: how many; static.
    range: (lowest, highest) edge. None: of the finite numbers, (0, 1) without
      any, and ½ to both sides of a single value.

  Raises:
    UserError: `bins` is below 1, or `range` is not two ascending numbers.

  Example:
    >>> histogram(jnp.array([0.0, 0.5, 2.0, 4.0]), bins=4)
    Histogram(counts=Array([2, 0, 1, 1], dtype=int32),
              edges=Array([0., 1., 2., 3., 4.], dtype=float32))
  """
  x = as_rows(x).reshape(-1)
  return _histogram(x, jnp.isfinite(x), _bins(bins), _range(range))


def log10_histogram(
  x: jax.Array,
  bins: int = 60,
  range: tuple[float, float] | None = None,
) -> LogHistogram:
  """Counts magnitudes by their order: for gradients that vanish or explode.

  Args:
    x: numbers of any shape.
    bins: how many; static.
    range: (lowest, highest) edge of `log10|x|`; None as for `histogram`.

  Returns:
    The histogram of `log10|x|` where `x` is not 0, and the share of zeros (to
    which XLA on a CPU counts subnormal numbers).

  Raises:
    UserError: as `histogram`.

  Example:
    >>> log10_histogram(jnp.array([0.0, -1e-8, 1e-7, 1.0]), 3, (-9, 0))
    LogHistogram(counts=Array([2, 0, 1], dtype=int32),
                 edges=Array([-9., -6., -3.,  0.], dtype=float32),
                 zero_fraction=Array(0.25, dtype=float32))
  """
  x = as_rows(x).reshape(-1)
  zero = x == 0
  order = jnp.log10(jnp.abs(jnp.where(zero, 1, x)))
  counting = ~zero & jnp.isfinite(order)
  parts = _histogram(order, counting, _bins(bins), _range(range))
  return LogHistogram(*parts, zero_fraction(x))


def _histogram(
  x: jax.Array,
  counting: jax.Array,
  bins: int,
  limits: tuple[float, float] | None,
) -> Histogram:
  if limits is None:
    low = jnp.min(x, initial=jnp.inf, where=counting)
    high = jnp.max(x, initial=-jnp.inf, where=counting)
    empty, half = low > high, jnp.where(low == high, 0.5, 0)
    low = jnp.where(empty, 0, low - half)
    high = jnp.where(empty, 1, high + half)
    edges = jnp.linspace(low, high, bins + 1, dtype=x.dtype)
  else:
    first, last = limits
    inner = [first + (last - first) * i / bins for i in range(bins)]
    edges = jnp.asarray([*inner, last], x.dtype)
  # Edge by edge: exact at the edges, as fast as a scatter, and without a table
  # of numbers by edges in memory.
  x = jnp.where(counting, x, -jnp.inf)
  reaches = jax.lax.map(
    lambda edge: jnp.sum(x >= edge, dtype=jnp.int32), edges[:-1]
  )
  beyond = jnp.sum(x > edges[-1], dtype=jnp.int32)
  return Histogram(reaches - jnp.append(reaches[1:], beyond), edges)


def _percentages(q: Any) -> tuple[Sequence[float], bool]:
  q = q.tolist() if hasattr(q, "tolist") else q
  several = isinstance(q, Sequence)
  numbers = q if several else (q,)
  for number in numbers:
    if not isinstance(number, (int, float)) or not 0 <= number <= 100:
      raise UserError(f"q: {number!r} is not in [0, 100]; it is in percent")
  return numbers, several


def _bins(bins: Any) -> int:
  try:
    number = operator.index(bins)
  except TypeError:
    raise UserError(f"bins: {bins!r} is not a whole number") from None
  if number < 1:
    raise UserError(f"bins: {number} is too small; at least 1")
  return number


def _range(limits: Any) -> tuple[float, float] | None:
  if limits is None:
    return None
  try:
    low, high = map(float, limits)
  except (TypeError, ValueError):
    low, high = 1.0, 0.0
  if not low < high:
    raise UserError(
      f"range: {limits!r} is not (lowest, highest), two ascending numbers"
    )
  return low, high
