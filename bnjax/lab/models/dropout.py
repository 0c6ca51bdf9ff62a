"""Inverted dropout, with as few random bits as the rate needs.

Random bits are most of what dropout costs on a CPU: at rate ½ one bit a unit
is enough, where a comparison with a uniform float spends 32.
"""

import math
from typing import Any

import jax
import jax.numpy as jnp

_DIGITS = 16  # a rate is a multiple of 2⁻¹⁶


def dropout(x: jax.Array, words: jax.Array, rate: Any) -> jax.Array:
  """Sets each value to zero with probability `rate` and scales up the rest.

  `y = x * keep / (1 - rate)`, `keep` Bernoulli. The rate is rounded to a
  multiple of 2⁻¹⁶ and the scale is that of the rounded rate, so the expectation
  of `y` is `x` exactly.

  Args:
    x: any shape.
    words: random bits, `jax.random.bits(key, words_shape(x.shape, rate))`.
    rate: the probability to drop, in [0, 1); may be traced.

  Reference:
    Srivastava et al. 2014, "Dropout: a simple way to prevent neural networks
    from overfitting".

  Example:
    >>> x = jnp.ones((2, 3))
    >>> words = jax.random.bits(jax.random.key(0), words_shape(x.shape, 0.5))
    >>> y = dropout(x, words, 0.5)
    >>> bool(jnp.all((y == 0) | (y == 2)))
    True
  """
  level, digits = _as_fraction(rate)
  keep = ~_bernoulli(words, level)[: x.size].reshape(x.shape)
  scale = jnp.asarray(2**digits / (2**digits - level), x.dtype)
  return jnp.where(keep, x * scale, jnp.zeros_like(x))


def words_shape(shape: tuple[int, ...], rate: Any) -> tuple[int, int]:
  """Shape of the uint32 words that `dropout` of an array needs.

  At rate ½ one bit a unit, at ¼ two, at others up to 16, at a traced one 16.
  """
  return _as_fraction(rate)[1], -(-math.prod(shape) // 32)


def _as_fraction(rate: Any) -> tuple[Any, int]:
  """(level, digits) with rate = level / 2**digits."""
  if not isinstance(rate, (int, float)):
    level = jnp.round(jnp.asarray(rate, jnp.float32) * 2**_DIGITS)
    return level.astype(jnp.int32), _DIGITS
  level, digits = round(rate * 2**_DIGITS), _DIGITS
  while digits > 1 and level % 2 == 0:
    level, digits = level // 2, digits - 1
  return level, digits


def _bernoulli(words: jax.Array, level: Any) -> jax.Array:
  """Independent bools `[32 * n]` from words `[digits, n]`.

  Each is true with probability level / 2**digits. Word-parallel: going through
  the binary digits of the probability from the last to the first, a 1 makes
  the result `result | random` and a 0 makes it `result & random`, which moves
  the probability half the way to 1 or to 0.
  """
  result = jnp.zeros_like(words[0])
  for i, random in enumerate(words):
    one = (level >> i) & 1
    either, both = result | random, result & random
    if isinstance(one, int):
      result = either if one else both
    else:
      result = jnp.where(one == 1, either, both)
  shifts = jnp.arange(32, dtype=jnp.uint32)[:, None]
  bits = (result[None, :] >> shifts) & jnp.uint32(1)
  return (bits == 1).reshape(-1)
