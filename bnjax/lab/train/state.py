"""The state of a training: parameters, statistics, optimizer, key."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np


class TrainState(NamedTuple):
  """The state of one network in training, or of many along a leading axis.

  Attributes:
    params: trainable parameters.
    batch_stats: running statistics of the norms; {} without any.
    opt_state: the optimizer's.
    key: the run's random key. It never changes: what step `t` draws comes from
      `fold_in(key, t)`, so that a run can go on from any step.
  """

  params: Any
  batch_stats: Any
  opt_state: Any
  key: jax.Array


def to_arrays(state: TrainState) -> dict[str, np.ndarray]:
  """The state's arrays on the host, by their path in it."""
  return {
    name: np.asarray(jax.device_get(_data(leaf)))
    for name, leaf in _named(state).items()
  }


def from_arrays(
  like: TrainState, arrays: Mapping[str, np.ndarray]
) -> TrainState:
  """The state of which `to_arrays` gave the arrays.

  Args:
    like: of the same structure; its leaves may be `jax.ShapeDtypeStruct`.
    arrays: by path, among others.

  Raises:
    KeyError, ValueError: they are those of another state.
  """
  leaves = []
  for name, leaf in _named(like).items():
    array = jnp.asarray(arrays[name])
    if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key):
      array = jax.random.wrap_key_data(array)
    if (array.shape, array.dtype) != (leaf.shape, leaf.dtype):
      raise ValueError(f"{name}: {array.dtype}{array.shape} is not {leaf}")
    leaves.append(array)
  return jax.tree.unflatten(jax.tree.structure(like), leaves)


def _named(state: TrainState) -> dict[str, Any]:
  flat, _ = jax.tree_util.tree_flatten_with_path(state)
  name = lambda path: jax.tree_util.keystr(path, simple=True, separator=".")
  return {f"state.{name(path)}": leaf for path, leaf in flat}


def _data(leaf: jax.Array) -> jax.Array:
  if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key):
    return jax.random.key_data(leaf)
  return leaf
