"""Which axes are features, and the dtype in which statistics are kept."""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from bnjax.ops import _arguments
from bnjax.ops._explicit import fitting, place, shards

Axes = int | Sequence[int]


def as_array(x: Any) -> jax.Array:
  """Returns x as an array.

  One that is an array stays what it is: converted, it would be checked for NaN
  (`jax_debug_nans`) before a mask hides them.
  """
  return x if isinstance(x, jax.Array) else jnp.asarray(x)


def reduced_axes(ndim: int, feature_axes: Axes) -> tuple[int, ...]:
  """Returns the axes to average over: all that are not feature axes."""
  axes = _arguments.integers("feature_axes", feature_axes)
  kept = {axis + ndim if axis < 0 else axis for axis in axes}
  if len(kept) != len(axes) or not kept <= set(range(ndim)):
    raise ValueError(
      f"feature_axes={feature_axes} must name different axes of an array "
      f"with {ndim} axes."
    )
  return tuple(axis for axis in range(ndim) if axis not in kept)


def feature_shape(
  shape: tuple[int, ...], reduced: tuple[int, ...]
) -> tuple[int, ...]:
  """Returns the shape of a statistic: the feature axes, in array order."""
  return tuple(n for axis, n in enumerate(shape) if axis not in reduced)


def statistics_dtype(dtype: jnp.dtype) -> jnp.dtype:
  """Returns float32 for every real float up to float32, else the dtype.

  Raises:
    TypeError: the dtype is complex, integer or boolean. A complex batch has a
      covariance of real and imaginary parts, not one variance; an integer
      batch has no output of its own dtype.
  """
  if not jnp.issubdtype(dtype, jnp.floating):
    raise TypeError(
      f"Batch normalization needs a real floating dtype, got {dtype}. "
      "Convert integers first; stack real and imaginary parts as features."
    )
  return jnp.dtype(jnp.float32) if jnp.finfo(dtype).bits < 32 else dtype


def as_mask(mask: jax.Array | None, x: jax.Array) -> jax.Array | None:
  """Returns the mask with x's axes and shards, or says why it cannot be one."""
  if mask is None:
    return None
  mask = jnp.asarray(mask)
  if mask.dtype != jnp.bool_:
    raise TypeError(
      f"mask must be boolean, got {mask.dtype}: use mask != 0, or weights=."
    )
  return _with_axes("mask", mask, x)


def as_weights(
  weights: jax.Array | None,
  mask: jax.Array | None,
  x: jax.Array,
  dtype: jnp.dtype,
) -> jax.Array | None:
  """Returns the weights with x's axes, 0 where masked, or why they are none."""
  if weights is None:
    return None
  weights = jnp.asarray(weights)
  if weights.dtype == jnp.bool_ or not jnp.isrealobj(weights):
    raise TypeError(f"weights must be real numbers, got {weights.dtype}.")
  weights = _with_axes("weights", weights, x).astype(dtype)
  if mask is None:
    return weights
  return jnp.where(mask, weights, jnp.zeros_like(weights))


def _with_axes(name: str, array: jax.Array, x: jax.Array) -> jax.Array:
  """Returns an array that broadcasts to x with x's axes and shards."""
  shape = x.shape
  missing = len(shape) - array.ndim
  fits = missing >= 0 and all(
    m in (1, n) for m, n in zip(array.shape, shape[missing:], strict=True)
  )
  if not fits:
    raise ValueError(f"{name} {array.shape} does not broadcast to x {shape}.")
  array = lax.expand_dims(array, range(missing))
  return place(array, fitting(shards(x), array.shape), x)


def per_feature(
  name: str, value: jax.Array, x: jax.Array, reduced: tuple[int, ...]
) -> jax.Array:
  """Returns a vector of x's features in the statistics' dtype, once checked.

  A sharded one takes the shards of x's features.
  """
  value = jnp.asarray(value)
  shape = feature_shape(x.shape, reduced)
  if value.shape != shape:
    raise ValueError(f"{name} has shape {value.shape}, features {shape}.")
  if any(shards(value)):
    names = [n for axis, n in enumerate(shards(x)) if axis not in reduced]
    value = place(value, names, x)
  return value.astype(statistics_dtype(x.dtype))
