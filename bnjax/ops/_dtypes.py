"""The widest of several dtypes, also where JAX forbids implicit promotion."""

import jax.numpy as jnp
from jaxtyping import DTypeLike


def widest(*dtypes: DTypeLike) -> jnp.dtype:
  """Returns the floating dtype with most bits, float32 at the least."""
  known = [jnp.dtype(dtype) for dtype in dtypes]
  return max([jnp.dtype("float32"), *known], key=lambda d: jnp.finfo(d).bits)
