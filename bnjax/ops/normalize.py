"""The inference transform: normalization by statistics that are given."""

from collections.abc import Sequence

from jax import lax
from jaxtyping import Array, Float

from bnjax.ops import _axes


def normalize(
  x: Float[Array, "..."],
  mean: Float[Array, "..."],
  var: Float[Array, "..."],
  scale: Float[Array, "..."] | None = None,
  bias: Float[Array, "..."] | None = None,
  *,
  feature_axes: int | Sequence[int] = -1,
  epsilon: float | Float[Array, ""] = 1e-5,
) -> Float[Array, "..."]:
  """Normalizes x by given statistics: the inference transform.

  y = (x - mean) / sqrt(var + epsilon) * scale + bias

  Args:
    x: real floating array.
    mean: mean per feature, with the shape of the feature axes.
    var: variance per feature, likewise.
    scale: gamma, likewise; None means 1.
    bias: beta, likewise; None means 0.
    feature_axes: the axes that the statistics belong to.
    epsilon: added to the variance.

  Returns:
    An array of x's shape and dtype, computed in at least float32: statistics
    are never rounded to x's dtype before the subtraction.

  Raises:
    TypeError: x is complex or not floating.
    ValueError: axes or shapes that do not fit.

  Reference:
    Ioffe and Szegedy (2015), arXiv:1502.03167, Algorithm 2, line 11.

  Example:
    >>> import jax.numpy as jnp
    >>> from bnjax.ops import normalize
    >>> x = jnp.array([[1.0], [5.0]])
    >>> normalize(x, jnp.array([3.0]), jnp.array([4.0]), epsilon=0.0)
    Array([[-1.], [ 1.]], dtype=float32)
  """
  x = _axes.as_array(x)
  dtype = _axes.statistics_dtype(x.dtype)
  axes = _axes.reduced_axes(x.ndim, feature_axes)
  mean = _axes.per_feature("mean", mean, x, axes)
  gain = lax.rsqrt(_axes.per_feature("var", var, x, axes) + epsilon)
  if scale is not None:
    gain = gain * _axes.per_feature("scale", scale, x, axes)
  y = x.astype(dtype) - lax.expand_dims(mean, axes)
  y = y * lax.expand_dims(gain, axes)
  if bias is not None:
    bias = _axes.per_feature("bias", bias, x, axes)
    y = y + lax.expand_dims(bias, axes)
  return y.astype(x.dtype)
