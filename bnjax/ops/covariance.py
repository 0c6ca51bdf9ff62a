"""Covariances of a batch, in groups of features, and their running average."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jax.sharding import NamedSharding
from jaxtyping import Array, Bool, Float

from bnjax.ops import _arguments, _axes, _devices, _shared
from bnjax.ops._by_shards import statistics
from bnjax.ops._derivative import Plan
from bnjax.ops._explicit import alike, shards, spec
from bnjax.ops._statistics import centre, divisor, valid

AxisName = str | tuple[str, ...]


class Covariance(NamedTuple):
  """The second moments of a batch, for each group of features.

  Attributes:
    count: how many examples (and positions) were averaged.
    mean: per feature.
    cov: `[groups, size, size]`, divided by the count.

  Example:
    >>> import jax.numpy as jnp
    >>> from bnjax.ops import Covariance, zca_matrix
    >>> cov = jnp.diag(jnp.array([4.0, 1.0]))[None]
    >>> known = Covariance(jnp.array(10.0), jnp.zeros(2), cov)
    >>> zca_matrix(known.cov, epsilon=0.0)
    Array([[[0.5, 0. ], [0. , 1. ]]], dtype=float32)
  """

  count: Float[Array, ""]  # type: ignore[assignment]
  mean: Float[Array, " features"]
  cov: Float[Array, "groups size size"]


def batch_covariance(
  x: Float[Array, "..."],
  *,
  groups: int = 1,
  feature_axis: int = -1,
  mask: Bool[Array, "..."] | None = None,
  axis_name: AxisName | None = None,
) -> Covariance:
  """Returns the mean of a batch and its covariance in groups of features.

  cov = sum((x - mean) (x - mean)^T) / count

  Args:
    x: real floating array.
    groups: how many groups of consecutive features; divides the features.
    feature_axis: the axis of the features; all others are averaged over.
    mask: as in `whiten`.
    axis_name: named axes to pool over, weighted by count.

  Returns:
    Covariance, in at least float32. It is differentiable.

  Raises:
    TypeError: x is complex or not floating; mask is not boolean.
    ValueError: axes, mask or groups that do not fit.

  Example:
    >>> import jax.numpy as jnp
    >>> from bnjax.ops import batch_covariance
    >>> batch_covariance(jnp.array([[1.0, 2.0], [3.0, 6.0]])).cov
    Array([[[1., 2.], [2., 4.]]], dtype=float32)
  """
  x = in_groups(_axes.as_array(x), groups, feature_axis)
  return centred(x, groups, feature_axis, mask, axis_name)[1]


def update_covariance(
  running: Covariance, batch: Covariance, decay: float | Float[Array, ""]
) -> Covariance:
  """Returns the exponential moving average after one more batch.

  new = decay * old + (1 - decay) * batch, of mean and cov

  Args:
    running: the average so far, of which `count` is the number of batches.
    batch: of all devices; no gradient flows from it.
    decay: from 0 to 1; may be traced.

  Returns:
    Covariance; as it was if the batch's count is 0. One example has a mean and
    no covariance: it moves the mean alone.

  Raises:
    TypeError: decay is no number.
    ValueError: decay is outside of [0, 1] (unless traced) or several numbers.

  Example:
    >>> import jax.numpy as jnp
    >>> from bnjax.ops import batch_covariance, init_covariance
    >>> from bnjax.ops import update_covariance
    >>> batch = batch_covariance(jnp.array([[1.0], [5.0]]))
    >>> update_covariance(init_covariance(1), batch, 0.5)
    Covariance(count=Array(1., dtype=float32),
      mean=Array([1.5], dtype=float32), cov=Array([[[2.5]]], dtype=float32))
  """
  decay = _arguments.number("decay", decay, least=0, most=1)
  batch = alike(lax.stop_gradient(batch), running)
  some = batch.count > 0

  def mix(some: Array, old: Array, new: Array) -> Array:
    # A difference, as in update_running: equal values stay what they are.
    return jnp.where(
      some, old + (1 - decay) * (new.astype(old.dtype) - old), old
    )

  return Covariance(
    running.count + some.astype(running.count.dtype),
    mix(some, running.mean, batch.mean),
    mix(batch.count > 1, running.cov, batch.cov),
  )


def init_covariance(features: int, *, groups: int = 1) -> Covariance:
  """Returns a running covariance that has seen no batch: of mean 0, cov I.

  Args:
    features: how many.
    groups: how many groups of them; divides the features.

  Returns:
    Covariance, in float32.

  Raises:
    ValueError: groups do not divide the features.

  Example:
    >>> from bnjax.ops import init_covariance
    >>> init_covariance(4, groups=2).cov.shape
    (2, 2, 2)
  """
  _shared.check_groups("features", groups, features)
  size = features // groups
  cov = jnp.broadcast_to(jnp.eye(size), (groups, size, size))
  return Covariance(jnp.zeros(()), jnp.zeros(features), cov)


def in_groups(x: Array, groups: int, feature_axis: int) -> Array:
  """Returns x, the features in one piece if a group lies on several shards."""
  _shared.check_groups("features", groups, x.shape[feature_axis])
  (axis,) = _shared.axes_of(x.ndim, feature_axis)
  return _shared.in_groups(x, axis, groups)


def centred(
  x: Array,
  groups: int,
  feature_axis: int,
  mask: Array | None,
  axis_name: AxisName | None,
) -> tuple[Array, Covariance]:
  """Returns x minus its mean, 0 where masked, and the covariance."""
  axes = _axes.reduced_axes(x.ndim, feature_axis)
  _axes.statistics_dtype(x.dtype)
  mask = _axes.as_mask(mask, x)
  if mask is not None and mask.shape[feature_axis] != 1:
    raise ValueError(
      f"mask {mask.shape} differs between features: a covariance needs "
      "examples that count for all of them."
    )
  pool = _devices.make_pool(axis_name, None)
  stats = statistics(Plan(axes, pool), x, mask)
  c = valid(centre(valid(x, mask), stats.shift, stats.rest, axes), mask)
  rows = rows_of(c, groups, feature_axis)
  ndim, names = rows.ndim, shards(rows)
  where = NamedSharding(
    jax.typeof(rows).sharding.mesh, spec((names[-2], (), ()))
  )
  *examples, group, i = range(ndim)
  squares = jnp.einsum(
    *(rows, [*examples, group, i], rows, [*examples, group, ndim]),
    [group, i, ndim],
    precision=lax.Precision.HIGHEST,
    out_sharding=where if any(names) else None,
  )
  cov = _devices.pool_sums(pool, squares) / divisor(stats.count)
  return c, Covariance(stats.count, stats.shift + stats.rest, cov)


def rows_of(c: Array, groups: int, feature_axis: int) -> Array:
  """Returns [*examples, groups, size]."""
  return _shared.split(jnp.moveaxis(c, feature_axis, -1), c.ndim - 1, groups)


__all__ = [
  "Covariance",
  "batch_covariance",
  "init_covariance",
  "update_covariance",
]
