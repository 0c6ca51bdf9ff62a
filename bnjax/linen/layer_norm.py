"""Layer normalization for Flax linen, instead of `flax.linen.LayerNorm`."""

from functools import partial

import jax
import jax.numpy as jnp
from flax import linen as nn

from bnjax import ops
from bnjax.linen import _fields


class LayerNorm(nn.LayerNorm):
  """Drop-in for `flax.linen.LayerNorm`: same arguments, same variables.

  y = (x - mean) / sqrt(var + epsilon) * scale + bias, over `reduction_axes`

  Statistics are exact whatever the mean, so `use_fast_variance` has no effect,
  and never narrower than float32, whatever `force_float32_reductions` says.
  Masked cells of the output are 0 (in Flax: normalized), and `axis_name` weighs
  shards by their counts. One number to average is a `ValueError` (in Flax: 0).

  Raises:
    TypeError: x is complex, or the mask is floating.
    ValueError: axes, shapes or masks that do not fit; or one number.

  Reference:
    Ba, Kiros and Hinton (2016), arXiv:1607.06450.

  Example:
    >>> import jax
    >>> import jax.numpy as jnp
    >>> from bnjax.linen import LayerNorm
    >>> x = jnp.array([[1.0, 5.0]])
    >>> y, _ = LayerNorm().init_with_output(jax.random.key(0), x)
    >>> y.round(3)
    Array([[-1.,  1.]], dtype=float32)
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
      use_running_average: ignored: there is none. It lets a model take this
        norm in the place of a batch norm.
      mask: broadcastable to `x`, True where a value counts.

    Returns:
      An array of the shape of `x` and of `dtype`, by default that of `x`,
      scale and bias promoted together.
    """
    del use_running_average
    x = jnp.asarray(x)
    function = partial(
      ops.layer_norm,
      reduction_axes=self.reduction_axes,
      feature_axes=self.feature_axes,
      epsilon=self.epsilon,
    )
    parameters = _fields.affine(self, x, self.feature_axes)
    return _fields.normalize(self, function, x, parameters, mask)


__all__ = ["LayerNorm"]
