"""What the arguments of several models have in common: tables and ranges."""

from collections.abc import Callable
from typing import Annotated, Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from bnjax.lab.registry import Range

ACTIVATIONS: dict[str, Callable[[jax.Array], jax.Array]] = {
  "identity": lambda x: x,
  "relu": nn.relu,
  "sigmoid": nn.sigmoid,
  "tanh": jnp.tanh,
  "gelu": nn.gelu,
  "leaky_relu": nn.leaky_relu,
}

# Layers, each a part of the program of its own: more compile for minutes.
Layers = Annotated[int, Range(least=0, most=1000)]


def is_static_zero(rate: Any) -> bool:
  """Whether the rate is known to be 0 while the program is traced."""
  return isinstance(rate, (int, float)) and rate == 0
