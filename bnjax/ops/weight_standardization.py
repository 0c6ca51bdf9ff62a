"""Weight standardization: what batch norm does to activations, to kernels."""

import math
from collections.abc import Sequence

import jax.numpy as jnp
from jaxtyping import Array, Float

from bnjax.ops import _axes, _devices, _shared
from bnjax.ops._by_shards import transform
from bnjax.ops._derivative import Affine, Plan, split_epsilon


def standardize_kernel(
  kernel: Float[Array, "..."],
  gain: Float[Array, "..."] | None = None,
  *,
  output_axes: int | Sequence[int] = -1,
  epsilon: float | Float[Array, ""] = 1e-5,
  by_fan_in: bool = False,
) -> Float[Array, "..."]:
  """Returns a kernel whose weights to each output have mean 0, variance 1.

  w = (kernel - mean) / sqrt(var + epsilon) * gain, over all but output_axes.
  by_fan_in divides by sqrt(fan_in) too, so that sum(w^2) = gain^2 and outputs
  keep the variance of uncorrelated inputs: scaled weight standardization.

  A function of the kernel alone, applied where it is used, in training and
  inference alike. The gradient with respect to the kernel has mean zero and,
  but for epsilon, is orthogonal to it.

  Args:
    kernel: of a dense or convolutional layer, `[..., inputs, outputs]`.
    gain: with the shape of the output axes, in array order; or None.
    output_axes: the axes of the outputs.
    epsilon: added to the variance; one number, which may be traced. Small
      beside that of the kernels, which is 2 / fan_in after He's initialization.
    by_fan_in: also divide by sqrt(fan_in).

  Returns:
    An array of the kernel's shape and dtype.

  Raises:
    TypeError: the kernel is complex or not floating.
    ValueError: axes or shapes that do not fit, or a fan-in of one.

  Reference:
    Qiao et al. (2019), arXiv:1903.10520; by_fan_in: Brock, De and Smith
    (2021), arXiv:2101.08692.

  Example:
    >>> import jax.numpy as jnp
    >>> from bnjax.ops import standardize_kernel
    >>> standardize_kernel(jnp.array([[1.0], [5.0]]), epsilon=0.0)
    Array([[-1.], [ 1.]], dtype=float32)
  """
  kernel = jnp.asarray(kernel)
  axes = _axes.reduced_axes(kernel.ndim, output_axes)
  _shared.check_count(kernel, axes)
  wide = kernel.astype(_axes.statistics_dtype(kernel.dtype))
  known, traced = split_epsilon(epsilon, wide.dtype)
  plan = Plan(axes, _devices.Pool(), known)
  w, _ = transform(plan, wide, None, Affine(None, None, traced))
  if by_fan_in:
    w = w * (1 / math.sqrt(math.prod(kernel.shape[axis] for axis in axes)))
  return _shared.affine(w, gain, None, output_axes).astype(kernel.dtype)


__all__ = ["standardize_kernel"]
