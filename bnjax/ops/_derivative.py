"""The normalizing transform and its one derivative rule.

With c = x - mean, inv = (var + epsilon)^-1/2 and gain = scale * inv, the
tangent of y = gain * c + bias is linear in the tangents and reads x and
vectors only:

  dy = gain * dx + c * (dscale * inv - gain * inv^2 * mean(c * dx))
       + (dbias - gain * mean(dx)),

less c * gain * inv^2 * depsilon / 2 where epsilon is traced.

Its transpose needs two sums over the batch, sum(dy) and sum(c * dy), which
are those of Ioffe and Szegedy's backward pass. Every mode of differentiation
follows from this one rule; `jax.checkpoint` keeps c from being stored.
"""

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from bnjax.ops import _devices, _statistics
from bnjax.ops._statistics import (
  Statistics,
  centre,
  divisor,
  own,
  spread,
  valid,
)


class Plan(NamedTuple):
  """What is known before any array is."""

  axes: tuple[int, ...]
  pool: _devices.Pool
  epsilon: float = 0.0
  relu: bool = False
  least: int = 1  # A count of so much, or less, has no variance.


class Affine(NamedTuple):
  """The learned vectors, either may be None; and epsilon where it is traced."""

  scale: jax.Array | None
  bias: jax.Array | None
  epsilon: jax.Array | None = None  # the plan's if None


def split_epsilon(epsilon: Any, dtype: Any) -> tuple[float, jax.Array | None]:
  """Returns epsilon for a `Plan` and, if it is an array, for an `Affine`."""
  if not isinstance(epsilon, jax.Array):
    return float(epsilon), None
  if epsilon.ndim:
    raise ValueError(f"epsilon must be one number, got shape {epsilon.shape}.")
  return 0.0, epsilon.astype(dtype)


@partial(jax.custom_jvp, nondiff_argnums=(0,))
def statistics(
  plan: Plan,
  x: jax.Array,
  mask: jax.Array | None,
  weights: jax.Array | None = None,
) -> Statistics:
  """Returns the statistics of x, pooled over devices."""
  local = _statistics.collect(x, mask, plan.axes, weights)
  return _devices.pool_statistics(plan.pool, local)


@partial(jax.custom_jvp, nondiff_argnums=(0,))
def transform(
  plan: Plan,
  x: jax.Array,
  mask: jax.Array | None,
  affine: Affine,
  weights: jax.Array | None = None,
) -> tuple[jax.Array, Statistics]:
  """Returns the normalized batch and the statistics that normalized it."""
  stats = statistics(plan, x, mask, weights)
  counts, variance = _variance(plan, stats, affine)
  gain = _gain(affine.scale, jnp.sqrt(variance), counts)
  c = centre(valid(x, mask), stats.shift, stats.rest, plan.axes)
  y = c * lax.expand_dims(gain, plan.axes)
  if affine.bias is not None:
    y = y + lax.expand_dims(affine.bias, plan.axes)
  if plan.relu:
    y = jnp.maximum(y, 0)
  return valid(y, mask).astype(x.dtype), stats


def _epsilon(plan: Plan, affine: Affine) -> Any:
  return plan.epsilon if affine.epsilon is None else affine.epsilon


def _variance(
  plan: Plan, stats: Statistics, affine: Affine
) -> tuple[jax.Array, jax.Array]:
  """Returns where more than one value counted, and there var + epsilon."""
  counts = stats.count > plan.least
  return counts, spread(counts, stats.var, _epsilon(plan, affine))


def _gain(
  scale: jax.Array | None, deviation: jax.Array, counts: jax.Array
) -> jax.Array:
  """Returns scale / deviation; 0 where one value or none was counted.

  There y is the bias and gradients are 0, exactly, and without a NaN on the
  way where epsilon is 0, too.
  """
  # A quotient, which a compiler does not repeat for every element of x.
  gain = (jnp.ones_like(deviation) if scale is None else scale) / deviation
  return valid(gain, counts)


@statistics.defjvp
def _statistics_jvp(plan, primals, tangents):  # type: ignore[no-untyped-def]
  x, mask, weights = primals
  stats = statistics(plan, x, mask, weights)
  rule = jax.checkpoint(partial(_moments_tangent, plan), prevent_cse=False)
  return stats, rule(x, mask, weights, stats, tangents[0])


@transform.defjvp
def _transform_jvp(plan, primals, tangents):  # type: ignore[no-untyped-def]
  x, mask, affine, weights = primals
  dx, _, daffine, _ = tangents
  y, stats = transform(plan, x, mask, affine, weights)
  if not plan.relu:
    affine = affine._replace(bias=None)
  rule = jax.checkpoint(partial(_tangent, plan), prevent_cse=False)
  return (y, stats), rule(x, mask, weights, affine, stats, dx, daffine)


def _moments_tangent(
  plan: Plan,
  x: jax.Array,
  mask: jax.Array | None,
  weights: jax.Array | None,
  stats: Statistics,
  dx: jax.Array,
) -> Statistics:
  """Returns the tangents of the statistics."""
  dx = valid(dx.astype(stats.m2.dtype), mask)
  return _product(plan, valid(x, mask), weights, stats, dx)[1]


def _product(
  plan: Plan,
  x: jax.Array,
  weights: jax.Array | None,
  stats: Statistics,
  dx: jax.Array,
) -> tuple[jax.Array, Statistics]:
  """Returns sum(c * dx), weighted, and the tangents of the statistics."""
  if weights is not None:
    x, dx = valid(x, weights > 0), dx * weights
  shift, rest = _devices.vary_like((stats.shift, stats.rest), x)
  total = dx.sum(plan.axes)
  x, shift, rest = own(x, shift, rest)
  c = centre(x, shift, rest, plan.axes)
  product = (c * dx).sum(plan.axes)
  total, product = _devices.pool_sums(plan.pool, (total, product))
  zeros = jax.tree.map(jnp.zeros_like, stats)
  count = divisor(stats.count)
  return product, zeros._replace(rest=total / count, m2=2 * product)


def _tangent(
  plan: Plan,
  x: jax.Array,
  mask: jax.Array | None,
  weights: jax.Array | None,
  affine: Affine,
  stats: Statistics,
  dx: jax.Array,
  daffine: Affine,
) -> tuple[jax.Array, Statistics]:
  """Returns the tangents of the output and of the statistics."""
  # Widened once: its cotangent is then rounded once, the sum of its uses.
  x, dx = valid(x, mask), valid(dx.astype(stats.m2.dtype), mask)
  product, dstats = _product(plan, x, weights, stats, dx)
  counts, variance = _variance(plan, stats, affine)
  deviation = jnp.sqrt(variance)
  gain = _gain(affine.scale, deviation, counts)
  slope = -gain * (product / divisor(stats.count) / variance)
  offset = -gain * dstats.rest
  if daffine.scale is not None:
    slope = slope + daffine.scale * _gain(None, deviation, counts)
  if daffine.epsilon is not None:
    slope = slope - gain * (daffine.epsilon / (2 * variance))
  if daffine.bias is not None:
    offset = offset + daffine.bias

  vectors = (stats, gain, affine.bias), (slope, offset)
  known, linear = (_devices.vary_like(v, x) for v in vectors)
  (stats, gain, bias), (slope, offset) = known, linear
  wide = partial(lax.expand_dims, dimensions=plan.axes)
  x, shift, rest = own(*own(x, stats.shift, stats.rest))
  c = centre(x, shift, rest, plan.axes)
  dy = wide(gain) * dx + c * wide(slope) + wide(offset)
  if plan.relu:
    y = c * wide(gain) + (0 if bias is None else wide(bias))
    dy = valid(dy, y > 0)
  return valid(dy, mask).astype(x.dtype), dstats
