"""Ghost batch norm: groups of a batch's examples, each normalized apart."""

from collections.abc import Sequence
from functools import partial
from typing import Literal

import jax
import jax.numpy as jnp
from jax import lax
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Bool, Float

from bnjax.ops import _axes, _devices, _shared
from bnjax.ops.batch_norm import batch_norm
from bnjax.ops.moments import Moments
from bnjax.ops.population import population_moments_stacked

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
  axis = reduced[0]
  mask = _axes.as_mask(mask, x.shape)
  if mask is not None:
    shape = mask.shape[:axis] + x.shape[axis : axis + 1]
    mask = jnp.broadcast_to(mask, shape + mask.shape[axis + 1 :])
  here, team = _layout(groups, axis_name)
  _shared.check_groups("examples of a device", here, x.shape[axis])

  def part(a: Array) -> Array:
    pair = (here, a.shape[axis] // here)
    return a.reshape(*a.shape[:axis], *pair, *a.shape[axis + 1 :])

  # Counted from the front: the axis of the groups is gone where this is used.
  kept = tuple(a for a in range(x.ndim) if a not in reduced)
  normalize = partial(
    batch_norm,
    feature_axes=kept,
    epsilon=epsilon,
    axis_name=None if team is None else axis_name,
    axis_index_groups=team,
    activation=activation,
  )

  def one(x: Array, mask: Array | None) -> tuple[Array, Moments]:
    return normalize(x, scale, bias, mask=mask)

  masks = None if mask is None else part(mask)
  y, moments = jax.vmap(one, axis, (axis, 0))(part(x), masks)
  count = moments.count.reshape(
    here, *moments.count.shape[1:] or (1,) * (moments.m2.ndim - 1)
  )
  count = jnp.broadcast_to(count, moments.m2.shape)
  moments = moments._replace(count=count)
  if axis_name is not None:
    moments = _gather(moments, axis_name, 1 if team is None else len(team[0]))
  return y.reshape(x.shape), moments


def merge_ghosts(moments: Moments, *, between: bool = True) -> Moments:
  """Returns the moments of all groups, for the running statistics.

  between=True: of all examples as one batch, by the law of total variance:
  var = mean_g(var_g) + var_g(mean_g).
  between=False: var = mean_g(var_g), which is what the groups were normalized
  by, averaged. Means over groups are weighted by counts.

  Hoffer et al. update group after group:
  `lax.scan(lambda r, m: (update_running(r, m, rule), None), running, moments)`.

  Args:
    moments: with the groups along the first axis.
    between: whether the variance between the groups' means counts.

  Returns:
    Moments without that axis.

  Raises:
    ValueError: there are no groups.

  Example:
    >>> import jax.numpy as jnp
    >>> x = jnp.array([[1.0], [5.0], [0.0], [20.0]])
    >>> _, moments = ghost_batch_norm(x, groups=2)
    >>> merge_ghosts(moments).var, merge_ghosts(moments, between=False).var
    (Array([64.25], dtype=float32), Array([52.], dtype=float32))
  """
  pooled = population_moments_stacked(lambda group: group, moments)
  return pooled if between else pooled._replace(m2=moments.m2.sum(0))


def _layout(
  groups: int, axis_name: AxisName | None
) -> tuple[int, tuple[tuple[int, ...], ...] | None]:
  """Returns the number of groups here, and the devices that share one."""
  devices = 1 if axis_name is None else lax.axis_size(axis_name)
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


def _gather(moments: Moments, axis_name: AxisName, size: int) -> Moments:
  """Returns the moments of all devices' groups, each group once."""
  flat, unravel = ravel_pytree(moments)
  rows = _devices._gather(flat, axis_name)[::size]
  return jax.tree.map(
    lambda a: a.reshape(-1, *a.shape[2:]), jax.vmap(unravel)(rows)
  )


__all__ = ["ghost_batch_norm", "merge_ghosts"]
