"""What the arguments of several models have in common: tables and checks."""

from collections.abc import Callable, Collection
from typing import Annotated, Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from bnjax.lab.errors import choice
from bnjax.lab.models.initializers import INITIALIZERS, Initializer
from bnjax.lab.registry import Range, check_fields, lookup

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


def check_model(model: Any, **valid: Collection[str]) -> None:
  """Checks the fields of a model.

  Args:
    model: has `activation` and `initializer`.
    **valid: the values that other fields may have.
  """
  check_fields("model", model)
  activation_of(model)
  lookup("model.init", model.initializer, INITIALIZERS)
  for field, values in valid.items():
    choice(f"model.{field}", getattr(model, field), values)


def activation_of(model: Any) -> Callable[[jax.Array], jax.Array]:
  """The function that a model's `activation` names."""
  found: Callable[[jax.Array], jax.Array] = lookup(
    "model.activation", model.activation, ACTIVATIONS
  )
  return found


def kernel_init_of(model: Any, init: str = "") -> Initializer:
  """What `init`, or a model's `initializer`, names, at its `init_scale`."""
  make = lookup("model.init", init or model.initializer, INITIALIZERS)
  initializer: Initializer = make(model.init_scale)
  return initializer
