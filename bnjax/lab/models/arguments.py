"""What the arguments of several models have in common: tables and checks."""

from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from bnjax.lab.errors import UserError

ACTIVATIONS: dict[str, Callable[[jax.Array], jax.Array]] = {
  "identity": lambda x: x,
  "relu": nn.relu,
  "sigmoid": nn.sigmoid,
  "tanh": jnp.tanh,
  "gelu": nn.gelu,
  "leaky_relu": nn.leaky_relu,
}


def check_at_least(field: str, value: int, minimum: int) -> None:
  """Raises a UserError if the value is below the minimum."""
  if value < minimum:
    raise UserError(f"{field}: {value} is too small; at least {minimum}")


def check_sizes(field: str, sizes: tuple[int, ...]) -> None:
  """Raises a UserError if a size is below 1."""
  for i, size in enumerate(sizes):
    check_at_least(f"{field}[{i}]", size, 1)


def check_dropout_rate(rate: Any) -> None:
  """Raises a UserError unless the rate is in [0, 1), or traced."""
  if isinstance(rate, (int, float)) and not 0 <= rate < 1:
    raise UserError(
      f"model.dropout_rate: {rate} is not in [0, 1); it is the "
      "probability to drop a unit"
    )


def is_static_zero(rate: Any) -> bool:
  """Whether the rate is known to be 0 while the program is traced."""
  return isinstance(rate, (int, float)) and rate == 0
