"""Arrays as rows `[examples, features]`, and scaled so that squares fit."""

from typing import Any

import jax
import jax.numpy as jnp


def as_rows(x: Any) -> jax.Array:
  """Returns `x` as `[rows, features]`, of at least float32.

  Args:
    x: numbers `[..., features]`; a scalar is one row of one feature.

  Raises:
    TypeError: `x` is complex.
  """
  x = jnp.asarray(x)
  if jnp.issubdtype(x.dtype, jnp.complexfloating):
    raise TypeError(f"measures are of real numbers, not of {x.dtype}")
  if not jnp.issubdtype(x.dtype, jnp.floating) or x.dtype.itemsize < 4:
    x = x.astype(jnp.float32)
  return x.reshape((-1, x.shape[-1]) if x.size and x.ndim else (x.size, 1))


def scaled(x: jax.Array) -> tuple[jax.Array, jax.Array]:
  """Returns `x / s` and `s`, a power of two near max|x|.

  Squares of what comes back neither overflow nor vanish, and dividing by a
  power of two rounds nothing.
  """
  largest = jnp.max(jnp.abs(x), initial=0)
  _, exponent = jnp.frexp(largest)
  scale = jnp.ldexp(jnp.ones((), x.dtype), exponent - 1)
  scale = jnp.maximum(scale, jnp.finfo(x.dtype).tiny)
  scale = jnp.where((largest > 0) & jnp.isfinite(largest), scale, 1)
  return x / scale, scale
