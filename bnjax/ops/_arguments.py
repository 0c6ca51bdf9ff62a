"""Arguments that are checked where they are given, in the user's words."""

import math
import operator
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np


def choice(name: str, value: Any, allowed: Sequence[str | None]) -> None:
  """Raises ValueError unless the value is one of the few allowed.

  Compares strings only: a function, or an array, is none of them.
  """
  known = value is None or isinstance(value, str)
  if not known or value not in allowed:
    words = " or ".join(repr(word) for word in allowed)
    raise ValueError(f"{name} must be {words}, got {value!r}.")


def switch(
  name: str, value: Any, allowed: Sequence[bool | None] = (True, False)
) -> None:
  """Raises TypeError unless the value is True or False, or None if allowed."""
  known = value is None or isinstance(value, (bool, int, np.bool_))
  if not known or value not in allowed:
    words = " or ".join(map(repr, allowed))
    raise TypeError(f"{name} must be {words}, got {value!r}.")


def number(
  name: str,
  value: Any,
  *,
  least: float,
  most: float = math.inf,
  hint: str = "",
) -> Any:
  """Returns one real number: Python's and NumPy's as a float, JAX's as it is.

  Args:
    name: of the argument.
    value: what was given for it. A traced one is checked for its shape and
      dtype only.
    least: the smallest number that is allowed.
    most: the largest; finite in any case.
    hint: a sentence to end the message with.

  Raises:
    TypeError: no number: a bool, a string, None, a complex number.
    ValueError: an array of several numbers; out of range, infinite or NaN.
  """
  end = f" {hint}" if hint else ""
  if isinstance(value, (np.generic, np.ndarray)) and value.ndim == 0:
    value = value.item()
  real = isinstance(value, (int, float)) and not isinstance(value, bool)
  if isinstance(value, (jax.Array, np.ndarray)):
    real = jnp.issubdtype(value.dtype, jnp.floating) or jnp.issubdtype(
      value.dtype, jnp.integer
    )
  if not real:
    raise TypeError(f"{name} must be a number, got {value!r}.{end}")
  if np.shape(value):
    raise ValueError(f"{name} must be one number, got {np.shape(value)}.{end}")
  known = not isinstance(value, jax.core.Tracer)
  if known and not (least <= value <= most and math.isfinite(value)):
    to = f"be finite and at least {least:g}"
    if most < math.inf:
      to = f"lie in [{least:g}, {most:g}]"
    raise ValueError(f"{name} must {to}, got {value}.{end}")
  return value if isinstance(value, jax.Array) else float(value)


def integers(name: str, value: Any) -> tuple[int, ...]:
  """Returns one integer, or several, as Python's: any that can be an index.

  Raises:
    TypeError: bools, floats, strings, None, or a nested sequence.
  """
  several = isinstance(value, Sequence | set | frozenset) or np.ndim(value) == 1
  try:
    return tuple(_integer(v) for v in (value if several else (value,)))
  except TypeError:
    raise TypeError(
      f"{name} must be an integer or several, got {value!r}."
    ) from None


def count(name: str, value: Any, what: str) -> int:
  """Returns a whole number of something.

  Raises:
    TypeError: no integer; says what the argument is.
  """
  try:
    return _integer(value)
  except TypeError:
    raise TypeError(f"{name} is {what}, an integer: got {value!r}.") from None


def _integer(value: Any) -> int:
  if isinstance(value, (bool, np.bool_)) or (
    getattr(value, "dtype", None) == np.bool_
  ):
    raise TypeError
  return operator.index(value)
