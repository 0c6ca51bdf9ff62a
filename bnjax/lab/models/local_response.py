"""Local response normalization, which batch norm made superfluous."""

import jax
import jax.numpy as jnp

from bnjax.lab.errors import UserError


def local_response_norm(
  x: jax.Array,
  *,
  size: int = 5,
  alpha: float = 1e-4,
  beta: float = 0.75,
  k: float = 2.0,
) -> jax.Array:
  """Divides each feature by a power of its neighbours' squares.

  `y_i = x_i / (k + alpha * sum_j x_j²)^beta`, where `j` goes over the `size`
  features around `i` that there are.

  Args:
    x: `[..., features]`.
    size: features of a neighbourhood, `i` included.
    alpha: of the sum. PyTorch and Caffe divide it by `size`, the paper and
      this do not.
    beta: the power.
    k: added to the sum; the paper's 2, Caffe's 1.

  Returns:
    An array like x.

  Raises:
    UserError: the size is not positive.

  Reference:
    Krizhevsky, Sutskever and Hinton 2012, "ImageNet classification with deep
    convolutional neural networks", section 3.3. The 2015 paper removes it from
    Inception, section 4.2.1.

  Example:
    >>> x = jnp.array([1.0, 2.0, 3.0])
    >>> local_response_norm(x, size=3, alpha=1.0, beta=1.0, k=1.0)
    Array([0.16666667, 0.13333334, 0.21428573], dtype=float32)
  """
  if size < 1:
    raise UserError(f"size: {size} features are no neighbourhood; at least 1")
  before = size // 2
  sides = [(0, 0)] * (x.ndim - 1) + [(before, size - 1 - before)]
  squares = jnp.pad(jnp.square(x), sides)
  features = x.shape[-1]
  total = sum(squares[..., i : i + features] for i in range(size))
  return x * (k + alpha * total) ** -beta
