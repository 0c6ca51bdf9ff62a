"""Arrays as rows of numbers that count: what every measure starts with."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp


def as_rows(
  x: Any, mask: jax.Array | None
) -> tuple[jax.Array, jax.Array | None]:
  """Returns `x` as `[rows, features]` and a mask of that shape, or None.

  Args:
    x: numbers `[..., features]`; a scalar is one row of one feature. Narrower
      types than float32 become float32.
    mask: bool, its axes are the first ones of `x`: `[n]` selects examples.

  Raises:
    TypeError: the mask is not boolean, or `x` is complex.
    ValueError: the mask's shape does not fit.
  """
  x = jnp.asarray(x)
  if jnp.issubdtype(x.dtype, jnp.complexfloating):
    raise TypeError(f"measures are of real numbers, not of {x.dtype}")
  if not jnp.issubdtype(x.dtype, jnp.floating) or x.dtype.itemsize < 4:
    x = x.astype(jnp.float32)
  matrix = (-1, x.shape[-1]) if x.size and x.ndim else (x.size, 1)
  if mask is None:
    return x.reshape(matrix), None
  mask = jnp.asarray(mask)
  if mask.dtype != jnp.bool_:
    raise TypeError(f"mask must be boolean, got {mask.dtype}: use mask != 0")
  first = x.shape[: mask.ndim]
  if mask.ndim > x.ndim or any(
    m not in (1, n) for m, n in zip(mask.shape, first, strict=True)
  ):
    raise ValueError(
      f"mask {mask.shape} does not fit the first axes of x {x.shape}"
    )
  mask = mask.reshape(*mask.shape, *[1] * (x.ndim - mask.ndim))
  return x.reshape(matrix), jnp.broadcast_to(mask, x.shape).reshape(matrix)


def reduce_numbers(
  function: Callable[[jax.Array, jax.Array | None], Any],
  x: Any,
  mask: jax.Array | None,
  per_feature: bool = False,
) -> Any:
  """Calls `function(numbers, mask)`, both `[n]`: of all, or of each feature.

  The features are then the last axis of what comes back.
  """
  rows, mask = as_rows(x, mask)
  if per_feature:
    return jax.vmap(function, in_axes=1, out_axes=-1)(rows, mask)
  return function(rows.reshape(-1), None if mask is None else mask.reshape(-1))


def count(x: jax.Array, mask: jax.Array | None) -> jax.Array:
  """Returns how many numbers count, as a float."""
  counting = x.size if mask is None else jnp.sum(mask)
  return jnp.asarray(counting, x.dtype)


def share(hits: jax.Array, mask: jax.Array | None) -> jax.Array:
  """Returns the fraction of numbers for which `hits` is True; NaN of none."""
  hit = jnp.sum(hits if mask is None else hits & mask)
  number = count(jnp.zeros(hits.shape), mask)
  return jnp.where(number > 0, hit / jnp.maximum(number, 1), jnp.nan)


def scaled(x: jax.Array, mask: jax.Array | None) -> tuple[jax.Array, jax.Array]:
  """Returns `x / s`, 0 where masked, and `s`, a power of two near max|x|.

  Squares of what comes back neither overflow nor vanish, and dividing by a
  power of two rounds nothing.
  """
  if mask is not None:
    x = jnp.where(mask, x, 0)
  largest = jnp.max(jnp.abs(x), initial=0)
  _, exponent = jnp.frexp(largest)
  scale = jnp.ldexp(jnp.ones((), x.dtype), exponent - 1)
  scale = jnp.maximum(scale, jnp.finfo(x.dtype).tiny)
  scale = jnp.where((largest > 0) & jnp.isfinite(largest), scale, 1)
  return x / scale, scale
