"""Named precision policies: the dtypes of parameters, activations and data."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp


class Precision(NamedTuple):
  """Two dtypes."""

  #: of the parameters, what the optimizer keeps, and the statistics
  params: Any
  #: of the images and all that follows but statistics, the loss and what norms
  #: compute on the way
  activations: Any


PRECISIONS = {
  "float32": Precision(jnp.float32, jnp.float32),
  "float64": Precision(jnp.float64, jnp.float64),
  "bfloat16": Precision(jnp.float32, jnp.bfloat16),
}


def cast_kernels(precision: Precision, params: Any) -> Any:
  """Parameters as a training step or an inference computes with them.

  A layer with a `kernel` gets it and its bias in the activations' dtype; the
  optimizer goes on with the ones given, since the cast's derivative is a cast
  back. The parameters of norms stay as they are, and so do their statistics.

  Example:
    >>> ones = jnp.ones(2)
    >>> params = {"dense": {"kernel": ones}, "norm": {"bias": ones}}
    >>> cast = cast_kernels(PRECISIONS["bfloat16"], params)
    >>> jax.tree.map(lambda x: x.dtype.name, cast)
    {'dense': {'kernel': 'bfloat16'}, 'norm': {'bias': 'float32'}}

  Reference:
    Micikevicius et al. 2018, "Mixed precision training", arXiv:1710.03740.
  """
  if precision.params == precision.activations:
    return params
  return _cast(params, precision.activations)


def _cast(params: Any, dtype: Any) -> Any:
  if not isinstance(params, Mapping):
    return params
  if "kernel" in params:
    return jax.tree.map(lambda x: x.astype(dtype), params)
  return {name: _cast(child, dtype) for name, child in params.items()}
