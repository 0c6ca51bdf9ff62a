"""The state of a training: parameters, statistics, optimizer, key."""

from typing import Any, NamedTuple

import jax
import numpy as np
from flax import serialization


class TrainState(NamedTuple):
  """The state of one network in training, or of many along a leading axis."""

  params: Any  #: trainable parameters
  batch_stats: Any  #: running statistics of the norms; {} without any
  opt_state: Any  #: the optimizer's
  #: the run's random key. It never changes: what step `t` draws comes from
  #: `fold_in(key, t)`, so that a run can go on from any step
  key: jax.Array


def to_arrays(state: Any) -> Any:
  """A tree with `TrainState`s in it as nested dicts of NumPy arrays."""
  return serialization.to_state_dict(jax.device_get(jax.tree.map(_data, state)))


def from_arrays(like: Any, arrays: Any) -> Any:
  """The tree of which `to_arrays` gave the arrays, on the host.

  Args:
    like: of the same structure and shapes; its leaves may be
      `jax.ShapeDtypeStruct`.
    arrays: of `to_arrays`.

  Raises:
    ValueError: they are those of another tree.
  """
  bare = jax.eval_shape(lambda tree: jax.tree.map(_data, tree), like)
  found = serialization.from_state_dict(bare, arrays)

  def whole(leaf: Any, array: Any) -> Any:
    if _is_key(leaf):
      array = jax.random.wrap_key_data(array)
    if array.shape != np.shape(leaf):
      raise ValueError(f"{array.dtype}{array.shape} is not {leaf}")
    return array

  return jax.tree.map(whole, like, found)


def _data(leaf: Any) -> Any:
  """A leaf, or the numbers in it if it is a random key."""
  return jax.random.key_data(leaf) if _is_key(leaf) else leaf


def _is_key(leaf: Any) -> bool:
  dtype = getattr(leaf, "dtype", None)
  return jax.dtypes.issubdtype(dtype, jax.dtypes.prng_key)
