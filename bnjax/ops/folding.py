"""Fold an inference-mode batch norm into the kernel before it."""

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

from bnjax.ops import _axes
from bnjax.ops._dtypes import widest


def fold_dense(
  kernel: Float[Array, "... features"],
  bias: Float[Array, "... features"] | None,
  scale: Float[Array, " features"] | None,
  offset: Float[Array, " features"] | None,
  mean: Float[Array, " features"],
  var: Float[Array, " features"],
  epsilon: float = 1e-5,
) -> tuple[Float[Array, "... features"], Float[Array, "... features"]]:
  """Returns the kernel and bias of a layer that does both, dense and norm.

  gain = scale / sqrt(var + epsilon),
  kernel = kernel * gain,  bias = (bias - mean) * gain + offset

  Args:
    kernel: of the linear map, features last: `[inputs, features]`, or with
      any other axes before.
    bias: of the linear map: `[features]`, or with axes before; None means 0.
    scale: the norm's gamma; None means 1.
    offset: the norm's bias, beta; None means 0.
    mean: the norm's running mean.
    var: the norm's running variance.
    epsilon: added to the variance.

  Returns:
    kernel and bias, in the widest of the arguments' dtypes and float32: round
    them only if you must. The norm's subtraction of a mean that is large
    beside the deviation becomes a difference of two large numbers, so
    float32 outputs are then right to about 6e-8 * mean / deviation.

  Raises:
    ValueError: shapes that do not fit.

  Reference:
    Ioffe and Szegedy (2015), arXiv:1502.03167, Algorithm 2, line 11.

  Example:
    >>> import jax.numpy as jnp
    >>> from bnjax.ops import fold_dense
    >>> one = jnp.ones(1)
    >>> fold_dense(one[None], None, 6 * one, one, 2 * one, 4 * one, 0.0)
    (Array([[3.]], dtype=float32), Array([-5.], dtype=float32))
  """
  return _fold(kernel, bias, scale, offset, mean, var, epsilon, -1)


def fold_conv(
  kernel: Float[Array, "..."],
  bias: Float[Array, "... features"] | None,
  scale: Float[Array, " features"] | None,
  offset: Float[Array, " features"] | None,
  mean: Float[Array, " features"],
  var: Float[Array, " features"],
  epsilon: float = 1e-5,
  *,
  transpose_kernel: bool = False,
) -> tuple[Float[Array, "..."], Float[Array, "... features"]]:
  """Returns the kernel and bias of a convolution that does both, with norm.

  As `fold_dense`, for Flax's kernels: features last, `[*window, inputs,
  features]`, for plain, dilated, strided and transposed convolutions in any
  number of dimensions; `[*window, inputs / groups, features]` with
  `feature_group_count`. Padding does not matter, for the norm comes after.

  Args:
    kernel: of the convolution.
    bias: `[features]`, or `[*positions, features]` if unshared; None means 0.
    scale: the norm's gamma; None means 1.
    offset: the norm's bias, beta; None means 0.
    mean: the norm's running mean.
    var: the norm's running variance.
    epsilon: added to the variance.
    transpose_kernel: as the argument of that name of `nn.ConvTranspose`: the
      kernel is `[*window, features, inputs]`.

  Returns:
    kernel and bias, in the widest of the arguments' dtypes and float32.

  Raises:
    ValueError: shapes that do not fit.

  Example:
    >>> import jax.numpy as jnp
    >>> from bnjax.ops import fold_conv
    >>> one, kernel = jnp.ones(4), jnp.ones((3, 3, 2, 4))
    >>> kernel, bias = fold_conv(kernel, None, one, one, one, 4 * one, 0.0)
    >>> kernel[0, 0, 0, 0], bias[0]
    (Array(0.5, dtype=float32), Array(0.5, dtype=float32))
  """
  axis = -2 if transpose_kernel else -1
  return _fold(kernel, bias, scale, offset, mean, var, epsilon, axis)


def _fold(
  kernel: Array,
  bias: Array | None,
  scale: Array | None,
  offset: Array | None,
  mean: Array,
  var: Array,
  epsilon: float,
  axis: int,
) -> tuple[Array, Array]:
  given = (kernel, bias, scale, offset, mean, var)
  dtype = widest(*(value.dtype for value in given if value is not None))
  kernel = kernel.astype(dtype)
  if kernel.ndim < -axis:
    raise ValueError(f"kernel {kernel.shape} has no axis {axis}.")
  shape = (kernel.shape[axis],)
  axes = _axes.reduced_axes(kernel.ndim, axis)
  mean = _axes.per_feature("mean", mean, kernel, axes)
  gain = 1 / jnp.sqrt(_axes.per_feature("var", var, kernel, axes) + epsilon)
  if scale is not None:
    gain = gain * _axes.per_feature("scale", scale, kernel, axes)
  if bias is None:
    bias = jnp.zeros(shape, dtype)
  elif bias.shape[-1:] != shape:
    raise ValueError(f"bias has shape {bias.shape}, features {shape}.")
  wide = tuple(range(bias.ndim - 1))
  bias = bias.astype(dtype) - lax.expand_dims(mean, wide)
  bias = bias * lax.expand_dims(gain, wide)
  if offset is not None:
    offset = _axes.per_feature("offset", offset, kernel, axes)
    bias = bias + lax.expand_dims(offset, wide)
  return kernel * lax.expand_dims(gain, axes), bias


__all__ = ["fold_conv", "fold_dense"]
