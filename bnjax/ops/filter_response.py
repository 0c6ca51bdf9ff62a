"""Filter response normalization and its thresholded linear unit."""

from collections.abc import Sequence

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from bnjax.ops import _axes, _devices, _shared
from bnjax.ops._statistics import valid


def filter_response_norm(
  x: Float[Array, "..."],
  scale: Float[Array, " features"] | None = None,
  bias: Float[Array, " features"] | None = None,
  threshold: Float[Array, " features"] | None = None,
  *,
  epsilon: float | Float[Array, ""] | Float[Array, " features"] = 1e-6,
  feature_axis: int = -1,
  batch_axes: int | Sequence[int] = 0,
  mask: Bool[Array, "..."] | None = None,
  axis_name: str | tuple[str, ...] | None = None,
) -> Float[Array, "..."]:
  """Divides each feature of each example by its root mean square over space.

  y = max(x / sqrt(mean_space(x^2) + |epsilon|) * scale + bias, threshold)

  The maximum, the thresholded linear unit, is its activation: put no other
  after it. Where there is no space, or one position, the quotient is x over
  its own magnitude and epsilon decides its shape: learn it there, from 1e-4.

  Args:
    x: real floating array; squares are summed in at least float32.
    scale: one number per feature, or None.
    bias: likewise.
    threshold: likewise, initially 0; None leaves the maximum out.
    epsilon: added by its magnitude; a number, or one per feature.
    feature_axis: the axis of the features.
    batch_axes: the axes of the examples; all others are space.
    mask: True where x counts; broadcasts to x. Masked cells of y are 0.
    axis_name: named axes over which space is sharded.

  Returns:
    An array of x's shape and dtype.

  Raises:
    TypeError: x is complex or not floating; mask is not boolean.
    ValueError: axes or shapes that do not fit.

  Reference:
    Singh and Krishnan (2019), arXiv:1911.09737.

  Example:
    >>> import jax.numpy as jnp
    >>> from bnjax.ops import filter_response_norm
    >>> x = jnp.array([[[1.0], [-7.0]]])  # Mean square 25.
    >>> filter_response_norm(x, threshold=jnp.array([-1.0]), epsilon=0.0)
    Array([[[ 0.2], [-1. ]]], dtype=float32)
  """
  x = _axes.as_array(x)
  mask = _axes.as_mask(mask, x)
  wide = valid(x, mask).astype(_axes.statistics_dtype(x.dtype))
  axes = _shared.within_example(x.ndim, feature_axis, batch_axes)
  pool = _devices.make_pool(axis_name, None)
  square = _shared.mean_square(wide, axes, mask, pool)
  least = jnp.abs(jnp.asarray(epsilon, wide.dtype))
  if least.ndim:
    least = _shared.along("epsilon", least, wide, feature_axis)
  y = wide / jnp.sqrt(square + least)
  y = _shared.affine(y, scale, bias, feature_axis)
  if threshold is not None:
    y = jnp.maximum(y, _shared.along("threshold", threshold, y, feature_axis))
  return valid(y, mask).astype(x.dtype)


__all__ = ["filter_response_norm"]
