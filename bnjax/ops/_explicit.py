"""Explicit meshes, the default of `jax.make_mesh`: arrays by their shards.

The type of an array says over which explicit axes of the mesh it is sharded.
What such a type does not say is how to slice and to join: JAX refuses to
guess. So the ops run on each shard where that matters (`shard`), where the
mesh's axes are named axes to pool over.
"""

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import jax
from jax.sharding import NamedSharding, PartitionSpec, reshard

Names = tuple[str, ...]


def shards(x: jax.Array) -> tuple[Names, ...]:
  """Returns the explicit mesh axes over which each axis of x is sharded."""
  spec = jax.typeof(x).sharding.spec
  named = [(n,) if isinstance(n, str) else tuple(n or ()) for n in spec]
  return (*named, *[()] * (x.ndim - len(named)))


def spec(names: Sequence[Names]) -> Any:
  """Returns the names as a PartitionSpec."""
  return PartitionSpec(*(n or None for n in names))


def number(x: jax.Array, axis: int) -> int:
  """Returns how many explicit shards x has along an axis."""
  sizes = jax.typeof(x).sharding.mesh.shape
  return math.prod(sizes[name] for name in shards(x)[axis])


def fitting(
  names: Sequence[Names], shape: tuple[int, ...]
) -> tuple[Names, ...]:
  """Returns the names without those along axes of size 1, which broadcast."""
  # A symbolic size may not be 1, but cannot be said to be more.
  return tuple(
    () if size == 1 else n for n, size in zip(names, shape, strict=True)
  )


def place(a: jax.Array, names: Sequence[Names], x: jax.Array) -> jax.Array:
  """Returns the array sharded over those explicit axes of x's mesh, or its."""
  if shards(a) == tuple(names):
    return a
  return _reshard(a, x, spec(names))


# Jitted with x, which says on which devices, also where no mesh is set.
@partial(jax.jit, static_argnums=2, keep_unused=True)
def _reshard(a: jax.Array, x: jax.Array, names: PartitionSpec) -> jax.Array:
  mesh = jax.typeof(x).sharding.mesh
  mesh = jax.typeof(a).sharding.mesh if mesh.empty else mesh
  return reshard(a, NamedSharding(mesh, names))


def whole(x: jax.Array, axis: int) -> jax.Array:
  """Returns x with one axis in one piece on every device."""
  names = shards(x)
  return place(x, (*names[:axis], (), *names[axis + 1 :]), x)


def gathered(tree: Any) -> Any:
  """Returns all arrays in one piece on every device."""
  return jax.tree.map(lambda a: place(a, ((),) * a.ndim, a), tree)


def alike(tree: Any, other: Any) -> Any:
  """Returns a tree whose arrays are sharded as those of the same shape are."""
  return jax.tree.map(
    lambda a, b: place(a, shards(b), b) if a.shape == b.shape else a,
    tree,
    other,
  )


def shard(
  body: Callable[..., Any],
  x: jax.Array,
  args: tuple[Any, ...],
  along: Callable[[jax.Array], Sequence[Names]],
  out_specs: Any,
) -> Any:
  """Returns body(*args) by shards of x: each array sharded as `along` says.

  To be jitted, since shard_map alone runs one operation after another.
  """
  args = jax.tree.map(lambda a: place(a, along(a), x), args)
  return jax.shard_map(
    body,
    mesh=jax.typeof(x).sharding.mesh,
    in_specs=jax.tree.map(lambda a: spec(along(a)), args),
    out_specs=out_specs,
    axis_names={name for names in shards(x) for name in names},
  )(*args)
