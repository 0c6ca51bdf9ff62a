"""The transform and its statistics on explicit meshes: by shards of x.

One collective forward and one backward, as under `shard_map`.
"""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from bnjax.ops import _axes, _derivative
from bnjax.ops._derivative import Affine, Plan
from bnjax.ops._explicit import (
  Names,
  fitting,
  gathered,
  place,
  shard,
  shards,
  spec,
)
from bnjax.ops._statistics import Statistics


def statistics(
  plan: Plan,
  x: jax.Array,
  mask: jax.Array | None,
  weights: jax.Array | None = None,
) -> Statistics:
  """Returns the statistics of x, pooled over devices and shards."""
  if not any(shards(x)):
    return _whole_statistics(plan, x, mask, weights)
  if plan.pool.vmapped:
    return _derivative.statistics(plan, *gathered((x, mask, weights)))
  return _statistics(plan, x, mask, weights)


def transform(
  plan: Plan,
  x: jax.Array,
  mask: jax.Array | None,
  affine: Affine,
  weights: jax.Array | None = None,
) -> tuple[jax.Array, Statistics]:
  """Returns the normalized batch and the statistics that normalized it."""
  if not any(shards(x)):
    return _whole_transform(plan, x, mask, affine, weights)
  if plan.pool.vmapped:
    args = gathered((x, mask, affine, weights))
    y, stats = _derivative.transform(plan, *args)
    return place(y, shards(x), x), stats
  return _transform(plan, x, mask, affine, weights)


# Jitted, so that the layers of a network that are of one shape are traced once,
# with their derivatives.
_whole_statistics = jax.jit(_derivative.statistics, static_argnums=0)
_whole_transform = jax.jit(_derivative.transform, static_argnums=0)


# Jitted, since shard_map alone runs one operation after another.
@partial(jax.jit, static_argnums=0)
def _statistics(
  plan: Plan, x: jax.Array, mask: jax.Array | None, weights: jax.Array | None
) -> Statistics:
  def body(plan: Plan, *args: Any) -> tuple[None, Statistics]:
    return None, _derivative.statistics(plan, *args)

  return _by_shards(body, plan, x, mask, weights)[1]


@partial(jax.jit, static_argnums=0)
def _transform(plan: Plan, *args: Any) -> tuple[jax.Array, Statistics]:
  return _by_shards(_derivative.transform, plan, *args)


def _by_shards(
  body: Any, plan: Plan, x: jax.Array, mask: jax.Array | None, *more: Any
) -> Any:
  names = shards(x)
  kept = [axis for axis in range(x.ndim) if axis not in plan.axes]
  shape = _axes.feature_shape(x.shape, plan.axes)
  features = tuple(names[axis] for axis in kept)
  # A shard may see one feature, of a mask that differs between them.
  wide = [a for a in jax.tree.leaves((mask, more)) if a.ndim == x.ndim]
  by_feature = any(a.shape[axis] > 1 for a in wide for axis in kept)

  def local(*args: Any) -> Any:
    within = tuple(name for axis in plan.axes for name in names[axis])
    pool = plan.pool._replace(within=within)
    y, stats = body(plan._replace(pool=pool), *args)
    if by_feature:
      count = jnp.broadcast_to(stats.count, stats.shift.shape)
      stats = stats._replace(count=count)
    return y, stats

  def along(a: jax.Array) -> tuple[Names, ...]:
    if a.ndim == x.ndim:
      return fitting(names, a.shape)
    return features if a.shape == shape else ((),) * a.ndim

  vector: Any = spec(features)
  count: Any = vector if by_feature else spec(())
  return shard(
    local,
    x,
    (x, mask, *more),
    along,
    (spec(names), Statistics(count, vector, vector, vector)),
  )
