"""Ghost batch norm: groups of a batch's examples, each normalized apart."""

import math
from collections.abc import Sequence
from functools import partial
from typing import Any, Literal

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float

from bnjax.ops import _arguments, _axes, _devices, _explicit, _shared
from bnjax.ops._by_shards import transform
from bnjax.ops._derivative import Affine, Plan, split_epsilon
from bnjax.ops._one_value import refuse_to_run
from bnjax.ops._statistics import Statistics
from bnjax.ops.moments import Moments, from_statistics

AxisName = str | tuple[str, ...]


def ghost_batch_norm(
  x: Float[Array, "..."],
  scale: Float[Array, "..."] | None = None,
  bias: Float[Array, "..."] | None = None,
  *,
  groups: int,
  feature_axes: int | Sequence[int] = -1,
  epsilon: float | Float[Array, ""] = 1e-5,
  mask: Bool[Array, "..."] | None = None,
  weights: Float[Array, "..."] | None = None,
  axis_name: AxisName | None = None,
  activation: Literal["relu"] | None = None,
) -> tuple[Float[Array, "..."], Moments]:
  """Normalizes groups of consecutive examples, each by its own statistics.

  y = (x - mean_g) / sqrt(var_g + epsilon) * scale + bias for x in group g

  The examples are along the first axis that is not a feature axis. Under
  `axis_name` they are those of all devices in order, and the groups are the
  same whatever the number of devices: several to a device, which needs no
  collective to normalize, or several devices to a group.

  Args:
    x: real floating array; statistics are kept in at least float32.
    scale: gamma, with the shape of the feature axes in array order; or None.
    bias: beta, likewise.
    groups: how many groups of all the examples; a divisor of their number.
    feature_axes: the axes that keep statistics of their own.
    epsilon: added to the variance; one number, which may be traced.
    mask: True where x counts; broadcasts to x. Masked cells of y are 0.
    weights: how much each cell counts, as in `batch_norm`.
    axis_name: named axes over which the examples are sharded.
    activation: "relu" applies max(y, 0).

  Returns:
    y with x's shape and dtype, and the Moments of every group, `[groups, ...]`
    (counts, too), the same on all devices: see `merge_ghosts`.

  Raises:
    TypeError: x is complex or not floating; mask is not boolean.
    ValueError: axes or shapes that do not fit; groups that do not divide the
      examples, or neither divide the devices nor are a multiple of them; or
      one number per group and feature.

  Reference:
    Hoffer, Hubara and Soudry (2017), arXiv:1705.08741, Algorithm 1.

  Example:
    >>> import jax.numpy as jnp
    >>> from bnjax.ops import ghost_batch_norm
    >>> x = jnp.array([[1.0], [5.0], [0.0], [20.0]])
    >>> y, moments = ghost_batch_norm(x, groups=2, epsilon=0.0)
    >>> y.ravel(), moments.mean.ravel()
    (Array([-1.,  1., -1.,  1.], dtype=float32),
     Array([ 3., 10.], dtype=float32))
  """
  x = _axes.as_array(x)
  reduced = _axes.reduced_axes(x.ndim, feature_axes)
  if not reduced:
    raise ValueError(f"feature_axes={feature_axes} leave no axis of examples.")
  _arguments.choice("activation", activation, (None, "relu"))
  _arguments.count("groups", groups, "the number of groups of examples")
  axis = reduced[0]
  given, pool = x, _devices.make_pool(axis_name, None)
  devices = 1 if axis_name is None else lax.axis_size(axis_name)
  here = devices * _explicit.number(x, axis)
  if pool.vmapped:
    x = _explicit.gathered(x)
  elif groups % here and here % groups:
    x = _explicit.whole(x, axis)
  mask = _axes.as_mask(mask, x)
  dtype = _axes.statistics_dtype(x.dtype)
  weights = _axes.as_weights(weights, mask, x, dtype)

  def by_example(cells: Array) -> Array:
    shape = cells.shape[:axis] + x.shape[axis : axis + 1]
    return jnp.broadcast_to(cells, shape + cells.shape[axis + 1 :])

  if mask is not None:
    mask = _axes.as_mask(by_example(mask), x)
  if weights is not None:
    weights = _axes.as_weights(by_example(weights), mask, x, dtype)
  if scale is not None:
    scale = _axes.per_feature("scale", scale, x, reduced)
  if bias is not None:
    bias = _axes.per_feature("bias", bias, x, reduced)
  known, traced = split_epsilon(epsilon, dtype)
  # The axes counted from the front, without that of the groups.
  least = 1 if weights is None else 0
  plan = Plan(reduced, pool, known, activation == "relu", least)
  affine = Affine(scale, bias, traced)
  if axis_name is None:
    _shared.check_groups("examples", groups, x.shape[axis])
  run = _by_shards if any(_explicit.shards(x)) else _normalize
  y, moments = run(groups, plan, x, mask, affine, weights)
  values = math.prod(x.shape[a] for a in reduced) // groups
  if values == 1 and mask is None and axis_name is None:
    y = refuse_to_run(y)
  return _explicit.place(y, _explicit.shards(given), given), moments


def merge_ghosts(moments: Moments, *, between: bool = True) -> Moments:
  """Returns the moments of all groups, for the running statistics.

  between=True: of all examples as one batch, by the law of total variance:
  var = mean_g(var_g) + var_g(mean_g).
  between=False: var = mean_g(var_g), which is what the groups were normalized
  by, averaged over those that have a variance, of two values or more. Means
  over groups are weighted by counts.

  Hoffer et al. update group after group:
  `lax.scan(lambda r, m: (update_running(r, m, rule), None), running, moments)`.

  Args:
    moments: with the groups along the first axis.
    between: whether the variance between the groups' means counts.

  Returns:
    Moments without that axis; with between=False, the count is at most 1 where
    no group has a variance.

  Raises:
    ValueError: there are no groups.

  Example:
    >>> import jax.numpy as jnp
    >>> from bnjax.ops import ghost_batch_norm, merge_ghosts
    >>> x = jnp.array([[1.0], [5.0], [0.0], [20.0]])
    >>> _, moments = ghost_batch_norm(x, groups=2)
    >>> merge_ghosts(moments).var, merge_ghosts(moments, between=False).var
    (Array([64.25], dtype=float32), Array([52.], dtype=float32))
  """
  _arguments.switch("between", between)
  count, mean, m2 = moments
  if not mean.shape[0]:
    raise ValueError("There are no groups to merge.")
  parts = Statistics(count, mean, jnp.zeros_like(mean), m2)
  pooled = from_statistics(_devices.merge_rows(parts))
  if between:
    return pooled
  varies = count > 1
  counted = jnp.where(varies, count, 0).sum(0)
  within = jnp.where(varies, m2, 0).sum(0)
  total = jnp.where(counted > 0, pooled.count, jnp.minimum(pooled.count, 1))
  share = total / jnp.maximum(counted, 1)
  return Moments(total, pooled.mean, within * share)


def _normalize(
  groups: int,
  plan: Plan,
  x: Array,
  mask: Array | None,
  affine: Affine,
  weights: Array | None,
) -> tuple[Array, Moments]:
  """Returns the output and the moments of all groups of all devices."""
  axis, pool = plan.axes[0], plan.pool
  here, team = _layout(groups, _devices.Pool(pool.axis_name).names)
  _shared.check_groups("examples of a device", here, x.shape[axis])

  def part(a: Array) -> Array:
    pair = (here, a.shape[axis] // here)
    return a.reshape(*a.shape[:axis], *pair, *a.shape[axis + 1 :])

  pool = pool._replace(axis_name=pool.axis_name if team else None, groups=team)

  def one(cells: Sequence[Array | None]) -> tuple[Array, Moments]:
    x, mask, weights = cells
    assert x is not None
    y, stats = transform(plan._replace(pool=pool), x, mask, affine, weights)
    return y, from_statistics(stats)

  parts = jax.tree.map(part, (x, mask, weights))
  y, moments = jax.vmap(one, axis, (axis, 0))(parts)
  count = moments.count.reshape(
    here, *moments.count.shape[1:] or (1,) * (moments.m2.ndim - 1)
  )
  count = jnp.broadcast_to(count, moments.m2.shape)
  moments = moments._replace(count=count)
  names = _devices.Pool(plan.pool.axis_name).names
  if names:
    size = 1 if team is None else len(team[0])
    rows = _devices.of_members(moments, names)
    moments = jax.tree.map(lambda a: a[::size].reshape(-1, *a.shape[2:]), rows)
  return y.reshape(x.shape), moments


# Jitted, since shard_map alone runs one operation after another.
@partial(jax.jit, static_argnums=(0, 1))
def _by_shards(
  groups: int,
  plan: Plan,
  x: Array,
  mask: Array | None,
  affine: Affine,
  weights: Array | None,
) -> tuple[Array, Moments]:
  """Returns the same, where x is sharded over axes of an explicit mesh."""
  names = _explicit.shards(x)
  axis, *others = plan.axes
  rows = (*plan.pool.names, *names[axis])
  within = tuple(name for other in others for name in names[other])
  features = [n for a, n in enumerate(names) if a not in plan.axes]
  pool = _devices.Pool(rows or None, None, within)
  vector: Any = _explicit.spec([(), *features])

  def along(a: Array) -> Sequence[_explicit.Names]:
    if a.ndim == x.ndim:
      return _explicit.fitting(names, a.shape)
    return features if a.ndim == len(features) else ()

  return _explicit.shard(
    partial(_normalize, groups, plan._replace(pool=pool)),
    x,
    (x, mask, affine, weights),
    along,
    (_explicit.spec(names), Moments(vector, vector, vector)),
  )


def _layout(
  groups: int, names: tuple[str, ...]
) -> tuple[int, tuple[tuple[int, ...], ...] | None]:
  """Returns the number of groups here, and the devices that share one."""
  devices = lax.axis_size(names) if names else 1
  if groups < 1 or (groups % devices and devices % groups):
    raise ValueError(
      f"{groups} groups and {devices} devices: one must be a multiple of the "
      "other."
    )
  if groups % devices == 0:
    return groups // devices, None
  size = devices // groups
  return 1, tuple(
    tuple(range(first, first + size)) for first in range(0, devices, size)
  )


__all__ = ["ghost_batch_norm", "merge_ghosts"]
