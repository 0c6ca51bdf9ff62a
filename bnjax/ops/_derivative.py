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
from bnjax.ops._statistics import Statistics, centre, own, valid


class Plan(NamedTuple):
  """What is known before any array is."""

  axes: tuple[int, ...]
  pool: _devices.Pool
  epsilon: float = 0.0
  relu: bool = False


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
def statistics(plan: Plan, x: jax.Array, mask: jax.Array | None) -> Statistics:
  """Returns the statistics of x, pooled over devices."""
  local = _statistics.collect(x, mask, plan.axes)
  return _devices.pool_statistics(plan.pool, local)


@partial(jax.custom_jvp, nondiff_argnums=(0,))
def transform(
  plan: Plan, x: jax.Array, mask: jax.Array | None, affine: Affine
) -> tuple[jax.Array, Statistics]:
  """Returns the normalized batch and the statistics that normalized it."""
  stats = statistics(plan, x, mask)
  gain = _gain(affine.scale, stats, _epsilon(plan, affine))
  y = centre(x, stats.shift, stats.rest, plan.axes) * lax.expand_dims(
    gain, plan.axes
  )
  if affine.bias is not None:
    y = y + lax.expand_dims(affine.bias, plan.axes)
  if plan.relu:
    y = jnp.maximum(y, 0)
  return valid(y, mask).astype(x.dtype), stats


def _epsilon(plan: Plan, affine: Affine) -> Any:
  return plan.epsilon if affine.epsilon is None else affine.epsilon


def _gain(
  scale: jax.Array | None, stats: Statistics, epsilon: Any
) -> jax.Array:
  # A quotient, which a compiler does not repeat for every element of x.
  deviation = jnp.sqrt(stats.var + epsilon)
  return (jnp.ones_like(deviation) if scale is None else scale) / deviation


@statistics.defjvp
def _statistics_jvp(plan, primals, tangents):  # type: ignore[no-untyped-def]
  x, mask = primals
  stats = statistics(plan, x, mask)
  rule = jax.checkpoint(partial(_moments_tangent, plan), prevent_cse=False)
  return stats, rule(x, mask, stats, tangents[0])


@transform.defjvp
def _transform_jvp(plan, primals, tangents):  # type: ignore[no-untyped-def]
  x, mask, affine = primals
  dx, _, daffine = tangents
  y, stats = transform(plan, x, mask, affine)
  if not plan.relu:
    affine = affine._replace(bias=None)
  rule = jax.checkpoint(partial(_tangent, plan), prevent_cse=False)
  return (y, stats), rule(x, mask, affine, stats, dx, daffine)


def _moments_tangent(
  plan: Plan,
  x: jax.Array,
  mask: jax.Array | None,
  stats: Statistics,
  dx: jax.Array,
) -> Statistics:
  """Returns the tangents of the statistics."""
  return _product(plan, valid(x, mask), stats, valid(dx, mask))[1]


def _product(
  plan: Plan, x: jax.Array, stats: Statistics, dx: jax.Array
) -> tuple[jax.Array, Statistics]:
  """Returns sum(c * dx) and the tangents of the statistics."""
  shift, rest = _devices.vary_like((stats.shift, stats.rest), x)
  dx = dx.astype(stats.m2.dtype)
  total = dx.sum(plan.axes)
  x, shift, rest = own(x, shift, rest)
  c = centre(x, shift, rest, plan.axes)
  product = (c * dx).sum(plan.axes)
  total, product = _devices.pool_sums(plan.pool, (total, product))
  zeros = jax.tree.map(jnp.zeros_like, stats)
  count = jnp.maximum(stats.count, 1)
  return product, zeros._replace(rest=total / count, m2=2 * product)


def _tangent(
  plan: Plan,
  x: jax.Array,
  mask: jax.Array | None,
  affine: Affine,
  stats: Statistics,
  dx: jax.Array,
  daffine: Affine,
) -> tuple[jax.Array, Statistics]:
  """Returns the tangents of the output and of the statistics."""
  x, dx = valid(x, mask), valid(dx, mask)
  product, dstats = _product(plan, x, stats, dx)
  epsilon = _epsilon(plan, affine)
  gain = _gain(affine.scale, stats, epsilon)
  share = product / jnp.maximum(stats.count, 1)
  slope = -gain * (share / (stats.var + epsilon))
  offset = -gain * dstats.rest
  if daffine.scale is not None:
    slope = slope + daffine.scale * _gain(None, stats, epsilon)
  if daffine.epsilon is not None:
    slope = slope - gain * (daffine.epsilon / (2 * (stats.var + epsilon)))
  if daffine.bias is not None:
    offset = offset + daffine.bias

  vectors = (stats, gain, affine.bias), (slope, offset)
  known, linear = (_devices.vary_like(v, x) for v in vectors)
  (stats, gain, bias), (slope, offset) = known, linear
  wide = partial(lax.expand_dims, dimensions=plan.axes)
  x, shift, rest = own(*own(x, stats.shift, stats.rest))
  c = centre(x, shift, rest, plan.axes)
  dy = wide(gain) * dx.astype(gain.dtype) + c * wide(slope) + wide(offset)
  if plan.relu:
    y = c * wide(gain) + (0 if bias is None else wide(bias))
    dy = valid(dy, y > 0)
  return valid(dy, mask).astype(x.dtype), dstats
