"""Weight initializers by name, as the published experiments define them.

Each takes `scale`, which multiplies the drawn weights, and returns a function
`(key, shape, dtype) -> weights` like those of `jax.nn.initializers`. Fan-in is
the product of all axes but the last, fan-out that of all but the second last.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax.nn.initializers import variance_scaling

Initializer = Callable[..., jax.Array]


def randn(scale: Any = 1.0) -> Initializer:
  """`N(0, scale²)`: NumPy's `randn`, the "bad" initialization at scale 1."""
  return lambda key, shape, dtype=float: (
    scale * jax.random.normal(key, shape, dtype)
  )


def uniform(scale: Any = 1.0) -> Initializer:
  """`U(-scale, scale)`."""
  return lambda key, shape, dtype=float: (
    scale * jax.random.uniform(key, shape, dtype, -1.0)
  )


def half_normal(scale: Any = 1.0) -> Initializer:
  """`|N(0, scale²)|`: positive, so that units of a layer are all alike."""
  return lambda key, shape, dtype=float: (
    scale * jnp.abs(jax.random.normal(key, shape, dtype))
  )


def he(scale: Any = 1.0) -> Initializer:
  """`N(0, 2 / fan_in)` (He et al. 2015, https://arxiv.org/abs/1502.01852)."""
  return _scaled(scale, variance_scaling(2.0, "fan_in", "normal"))


def xavier(scale: Any = 1.0) -> Initializer:
  """`N(0, 2 / (fan_in + fan_out))` (Glorot and Bengio 2010)."""
  return _scaled(scale, variance_scaling(1.0, "fan_avg", "normal"))


def lecun(scale: Any = 1.0) -> Initializer:
  """`N(0, 1 / fan_in)` (LeCun et al. 1998, "Efficient backprop")."""
  return _scaled(scale, variance_scaling(1.0, "fan_in", "normal"))


def torch_default(scale: Any = 1.0) -> Initializer:
  """`U(-b, b)` with `b = 1 / sqrt(fan_in)`, as PyTorch's dense and conv layers.

  Their documentation says so; the code calls `kaiming_uniform_(a=sqrt(5))`.
  """
  return _scaled(scale, variance_scaling(1 / 3, "fan_in", "uniform"))


def bias_of(name: str, fan_in: int) -> Initializer:
  """The initializer of the biases beside kernels that `name` draws.

  Zeros, but for `torch`: `U(-b, b)`, `b = 1 / sqrt(fan_in)`, as PyTorch has it.
  """
  return uniform(fan_in**-0.5) if name == "torch" else jax.nn.initializers.zeros


def truncated_normal(scale: Any = 1.0) -> Initializer:
  """`N(0, scale²)` drawn again beyond twice `scale`, as in TensorFlow.

  Its standard deviation is 0.88 `scale`.
  """
  return lambda key, shape, dtype=float: (
    scale * jax.random.truncated_normal(key, -2.0, 2.0, shape, dtype)
  )


def _scaled(scale: Any, initializer: Initializer) -> Initializer:
  return lambda key, shape, dtype=float: scale * initializer(key, shape, dtype)


# `normal` is `randn` under the name that goes with a standard deviation, and
# `torch` has the kernels of `torch_default` and draws biases besides.
INITIALIZERS: dict[str, Callable[..., Initializer]] = {
  "randn": randn,
  "normal": randn,
  "uniform": uniform,
  "half_normal": half_normal,
  "he": he,
  "xavier": xavier,
  "lecun": lecun,
  "torch": torch_default,
  "torch_default": torch_default,
  "truncated_normal": truncated_normal,
}
