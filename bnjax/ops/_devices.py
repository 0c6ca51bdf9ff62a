"""Statistics and sums pooled over named axes, by one collective each."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.flatten_util import ravel_pytree

from bnjax.ops._statistics import Statistics, divisor, settle

AxisName = str | tuple[str, ...]


class Pool(NamedTuple):
  """The named axes to pool over, and which members of them pool together.

  The groups are of members of axis_name; of `within` all pool.
  """

  axis_name: AxisName | None = None
  groups: tuple[tuple[int, ...], ...] | None = None
  within: tuple[str, ...] = ()

  @property
  def names(self) -> tuple[str, ...]:
    """All axes, the first is the slowest."""
    if isinstance(self.axis_name, str):
      return (self.axis_name, *self.within)
    return (*(self.axis_name or ()), *self.within)

  @property
  def vmapped(self) -> bool:
    """Whether a name is of `vmap`, which cannot be used in `shard_map`."""
    manual = jax.sharding.get_abstract_mesh().manual_axes
    return not set(self.names) <= set(manual)


def make_pool(
  axis_name: AxisName | None, groups: Sequence[Sequence[int]] | None
) -> Pool:
  """Returns a hashable Pool, or says why the groups are none."""
  if groups is None:
    return Pool(axis_name)
  if axis_name is None:
    raise ValueError("axis_index_groups needs an axis_name.")
  groups = tuple(tuple(int(i) for i in group) for group in groups)
  members = sorted(i for group in groups for i in group)
  if members != list(range(len(members))):
    raise ValueError(f"Groups must hold every index exactly once: {groups}.")
  return Pool(axis_name, groups)


def pool_statistics(pool: Pool, stats: Statistics) -> Statistics:
  """Returns the statistics of all members: gathered, merged (Chan et al.).

  A plain sum of squares over the members would cancel when the mean is large
  beside the deviation; gathering all four numbers in one vector does not.
  """
  if not pool.names:
    return stats
  # Alone, shards are summed as plain jit sums: XLA joins it with other sums.
  gather = _gather if pool.axis_name else _gather_by_sum
  parts = of_members(stats, pool.names, gather)
  if pool.groups is not None:
    mine = (_group_of(pool)[None, :] @ _membership(pool)).ravel() > 0
    mine = jnp.repeat(mine, len(parts.count) // mine.size)
    parts = jax.tree.map(lambda part: _where_leading(mine, part), parts)
  return merge_rows(parts)


def merge_rows(parts: Statistics) -> Statistics:
  """Returns the statistics of all rows together."""
  weight = parts.count
  column = (-1,) + (1,) * (parts.m2.ndim - weight.ndim)
  wide = weight.reshape(weight.shape + column[1:])
  count = weight.sum(0)
  total = divisor(wide.sum(0))
  shift = settle((wide * parts.shift).sum(0) / total)
  offset = (parts.shift - shift[None]) + parts.rest
  rest = (wide * offset).sum(0) / total
  apart = offset - rest[None]
  present = (wide > 0).astype(wide.dtype)
  m2 = (present * parts.m2 + wide * jnp.square(apart)).sum(0)
  return Statistics(count, shift, rest, m2)


def pool_sums(pool: Pool, sums: Any) -> Any:
  """Returns every sum in the tree, summed over the members of my group."""
  if not pool.names:
    return sums
  flat, unravel = ravel_pytree(sums)
  if pool.groups is None:
    return unravel(_sum(flat, pool.names))
  # One row per group: works where axis_index_groups does not (vmap, default
  # shard_map), for a few vectors' more traffic.
  # Chosen, not multiplied by 0: NaN of one group is none of another's.
  mine = _group_of(pool) > 0
  rows = jnp.broadcast_to(flat, (len(pool.groups), flat.size))
  rows = _sum(_where_leading(mine, rows), pool.names)
  return unravel(_where_leading(mine, rows).sum(0))


def pool_max(pool: Pool, largest: jax.Array) -> jax.Array:
  """Returns the largest of numbers from 0 of the members of my group.

  Gathered, since `lax.pmax` has no derivative.
  """
  if not pool.names:
    return largest
  rows = of_members(largest, pool.names)
  if pool.groups is not None:
    mine = (_group_of(pool)[None, :] @ _membership(pool)).ravel() > 0
    rows = _where_leading(mine, rows)
  return rows.max(0)


def _where_leading(some: jax.Array, rows: jax.Array) -> jax.Array:
  """Returns some of the rows, 0 in the place of the others."""
  some = some.reshape(-1, *(1,) * (rows.ndim - 1))
  return jnp.where(some, rows, jnp.zeros_like(rows))


def vary_like(tree: Any, x: jax.Array) -> Any:
  """Marks small arrays as varying over x's manual axes, in one place.

  Under shard_map the transpose of this mark is the sum over devices: here it
  is one sum of all the arrays. Left to JAX it would be one for each.
  """
  varying = [jax.typeof(leaf).mat.varying for leaf in jax.tree.leaves(tree)]
  if all(jax.typeof(x).mat.varying <= names for names in varying):
    return tree
  flat, unravel = ravel_pytree(tree)
  missing = jax.typeof(x).mat.varying - jax.typeof(flat).mat.varying
  if not missing:
    return tree
  return unravel(lax.pcast(flat, tuple(sorted(missing)), to="varying"))


def of_members(
  tree: Any,
  names: tuple[str, ...],
  gather: Callable[[jax.Array, tuple[str, ...]], jax.Array] | None = None,
) -> Any:
  """Returns every array of all members, one a row, in axis_index order.

  One collective gathers all that vary over the same axes of the mesh: all
  arrays, but for a scalar beside vectors of sharded features. What is the same
  for all members is not sent.
  """
  leaves, structure = jax.tree.flatten(tree)
  over = frozenset(names)
  manual = over & set(jax.sharding.get_abstract_mesh().manual_axes)
  varying = [jax.typeof(leaf).mat.varying for leaf in leaves]
  # With check_vma=False, nothing is said to vary, whether it does or not.
  known = manual == over and any(some & over for some in varying)
  rows = [jnp.zeros(())] * len(leaves)
  alike: dict[frozenset[Any], list[int]] = {}
  for i, leaf in enumerate(leaves):
    if known and not varying[i] & over:
      shape = (lax.axis_size(names), *leaf.shape)
      rows[i] = jnp.broadcast_to(leaf, shape)
    else:
      alike.setdefault(varying[i] | manual, []).append(i)
  for some in alike.values():
    flat, unravel = ravel_pytree([leaves[i] for i in some])
    parts = jax.vmap(unravel)((gather or _gather)(flat, names))
    for i, part in zip(some, parts, strict=True):
      rows[i] = part
  return jax.tree.unflatten(structure, rows)


def _sum(flat: jax.Array, names: tuple[str, ...]) -> jax.Array:
  """Returns the sum over named axes: those of shard_map, then of vmap."""
  manual = jax.sharding.get_abstract_mesh().manual_axes
  for kind in (True, False):
    some = tuple(name for name in names if (name in manual) == kind)
    flat = lax.psum(flat, some) if some else flat
  return flat


def _gather(flat: jax.Array, names: tuple[str, ...]) -> jax.Array:
  """Returns the vectors of all members, one a row, in axis_index order."""
  manual = jax.sharding.get_abstract_mesh().manual_axes
  rows = flat
  if set(names) <= set(manual):  # shard_map: all names in one collective.
    rows = lax.all_gather(rows, names, to="invarying")
  else:  # vmap gathers over one name at a time.
    for name in reversed(names):
      to = "invarying" if name in manual else "varying"
      rows = lax.all_gather(rows, name, to=to)
  return rows.reshape(-1, flat.size)


def _gather_by_sum(flat: jax.Array, names: tuple[str, ...]) -> jax.Array:
  """Returns the same, where all names are of one mesh: each adds its row."""
  mine = lax.iota(jnp.int32, lax.axis_size(names)) == lax.axis_index(names)
  return lax.psum(jnp.where(mine[:, None], flat[None], 0), names)


def _membership(pool: Pool) -> jax.Array:
  """Returns one row per group: 1 at its members, 0 elsewhere."""
  assert pool.groups is not None
  rows = np.zeros((len(pool.groups), sum(map(len, pool.groups))), np.float32)
  for row, group in zip(rows, pool.groups, strict=True):
    row[list(group)] = 1
  return jnp.asarray(rows)


def _group_of(pool: Pool) -> jax.Array:
  """Returns 1 at the group of this device, 0 at the others."""
  assert pool.axis_name is not None
  return _membership(pool)[:, lax.axis_index(pool.axis_name)]
