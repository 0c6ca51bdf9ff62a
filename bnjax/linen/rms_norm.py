"""RMS normalization for Flax linen, instead of `flax.linen.RMSNorm`."""

from functools import partial

import jax
import jax.numpy as jnp
from flax import linen as nn

from bnjax import ops
from bnjax.linen import _fields


class RMSNorm(nn.RMSNorm):
  """Drop-in for `flax.linen.RMSNorm`: same arguments, same variables.

  y = x / sqrt(mean(x^2) + epsilon) * scale, over `reduction_axes`

  Squares are summed in float32 at the least, whatever
  `force_float32_reductions` says. Masked cells of the output are 0 (in Flax:
  normalized), and `axis_name` weighs shards by their counts.

  Raises:
    TypeError: x is complex, or the mask is floating.
    ValueError: axes, shapes or masks that do not fit.

  Reference:
    Zhang and Sennrich (2019), arXiv:1910.07467.

  Example:
    >>> import jax
    >>> import jax.numpy as jnp
    >>> from bnjax.linen import RMSNorm
    >>> x = jnp.array([[1.0, 7.0]])  # Mean square 25.
    >>> y, _ = RMSNorm().init_with_output(jax.random.key(0), x)
    >>> [round(float(value), 3) for value in y[0]]
    [0.2, 1.4]
  """

  @nn.compact
  def __call__(
    self,
    x: jax.Array,
    use_running_average: bool | None = None,
    *,
    mask: jax.Array | None = None,
  ) -> jax.Array:
    """Normalizes each example.

    Args:
      x: floating or integer array.
      use_running_average: ignored, see `LayerNorm`.
      mask: broadcastable to `x`, True where a value counts.

    Returns:
      An array of the shape of `x` and of `dtype`, by default that of `x` and
      scale promoted together.
    """
    del use_running_average
    x = jnp.asarray(x)
    function = partial(
      ops.rms_norm,
      reduction_axes=self.reduction_axes,
      feature_axes=self.feature_axes,
      epsilon=self.epsilon,
    )
    parameters = _fields.affine(self, x, self.feature_axes)
    return _fields.normalize(self, function, x, parameters, mask)


__all__ = ["RMSNorm"]
