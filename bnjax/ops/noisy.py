"""Batch norm whose output's distribution is made to change at every step."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float

from bnjax.ops import _arguments, _axes
from bnjax.ops._explicit import place, shards
from bnjax.ops._statistics import valid
from bnjax.ops.batch_norm import batch_norm
from bnjax.ops.moments import Moments


def noisy_batch_norm(
  x: Float[Array, "..."],
  scale: Float[Array, "..."] | None = None,
  bias: Float[Array, "..."] | None = None,
  *,
  key: Array,
  dose: float | Float[Array, ""] = 0.5,
  stretch: float | Float[Array, ""] = 1.25,
  jitter: float | Float[Array, ""] = 0.1,
  feature_axes: int | Sequence[int] = -1,
  epsilon: float | Float[Array, ""] = 1e-5,
  mask: Bool[Array, "..."] | None = None,
  axis_name: str | tuple[str, ...] | None = None,
  axis_index_groups: Sequence[Sequence[int]] | None = None,
) -> tuple[Float[Array, "..."], Moments]:
  """Batch norm, and then a random affine map: covariate shift on purpose.

  a = batch_norm(x, scale, bias)
  y = s * a + m

  m ~ U(mu - jitter, mu + jitter) and s ~ N(sigma, jitter^2) are drawn for each
  value, and mu ~ U(-dose, dose) and sigma ~ U(1, stretch) for each feature.
  So each key gives the features other means and variances. The defaults are
  the paper's. The noise is a function of the key and of x's shape alone: with
  one key, two gradients are of one function.

  Args:
    x: real floating array; statistics are kept in at least float32.
    scale: gamma, with the shape of the feature axes in array order; or None.
    bias: beta, likewise.
    key: a new one at each step; with `axis_name`, the same for all members,
      which share mu and sigma and draw m and s each for itself.
    dose: the largest shift of a feature, in units of y.
    stretch: the largest factor of a feature, from 1.
    jitter: the largest shift, and the deviation of the factor, of a value
      about its feature's; positions count as examples.
    feature_axes: the axes that keep statistics of their own.
    epsilon: added to the variance.
    mask: True where x counts; broadcasts to x. Masked cells of y are 0.
    axis_name: named axes whose members are one batch.
    axis_index_groups: lists of indices along axis_name that pool together.

  Returns:
    y with x's shape and dtype, and the batch's Moments, which no noise enters.

  Raises:
    TypeError: as `batch_norm`, or a dose that is not a number.
    ValueError: as `batch_norm`, or a dose, a jitter below 0, a stretch below 1.

  Reference:
    Santurkar et al. (2018), arXiv:1805.11604, Algorithm 1.

  Example:
    >>> import jax
    >>> import jax.numpy as jnp
    >>> from bnjax.ops import noisy_batch_norm
    >>> x = jnp.array([[1.0], [5.0]])
    >>> y, _ = noisy_batch_norm(
    ...   x, key=jax.random.key(0), dose=8.0, stretch=1.0, jitter=0.0
    ... )
    >>> (y - y.mean()).round(3)  # Shifted, otherwise batch norm.
    Array([[-1.],
           [ 1.]], dtype=float32)
    >>> bool(abs(y.mean()) > 1)
    True
  """
  dose = _arguments.number("dose", dose, least=0)
  stretch = _arguments.number("stretch", stretch, least=1)
  jitter = _arguments.number("jitter", jitter, least=0)
  y, moments = batch_norm(
    x,
    scale,
    bias,
    feature_axes=feature_axes,
    epsilon=epsilon,
    mask=mask,
    axis_name=axis_name,
    axis_index_groups=axis_index_groups,
  )
  axes = _axes.reduced_axes(y.ndim, feature_axes)
  wide = y.astype(_axes.statistics_dtype(y.dtype))
  keys = jax.random.split(key, 4)
  if axis_name is not None:
    mine = lax.axis_index(axis_name)
    keys = keys.at[2:].set(
      jax.vmap(jax.random.fold_in, (0, None))(keys[2:], mine)
    )
  features = _axes.feature_shape(y.shape, axes)

  def uniform(key: jax.Array, shape: tuple[int, ...]) -> jax.Array:
    return jax.random.uniform(key, shape, jnp.float32).astype(wide.dtype)

  def wider(vector: jax.Array) -> jax.Array:
    return lax.expand_dims(vector, axes)

  def as_(number: float | jax.Array) -> jax.Array:
    return jnp.asarray(number, wide.dtype)

  shift = wider(as_(dose) * (2 * uniform(keys[0], features) - 1))
  factor = wider(1 + (as_(stretch) - 1) * uniform(keys[1], features))
  shift = shift + as_(jitter) * (2 * uniform(keys[2], y.shape) - 1)
  normal = jax.random.normal(keys[3], y.shape, jnp.float32)
  factor = factor + as_(jitter) * normal.astype(wide.dtype)
  shift, factor = (place(noise, shards(y), y) for noise in (shift, factor))
  noisy = (factor * wide + shift).astype(y.dtype)
  return valid(noisy, _axes.as_mask(mask, y)), moments


__all__ = ["noisy_batch_norm"]
