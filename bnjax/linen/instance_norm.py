"""Instance normalization for Flax linen, instead of Flax's."""

from functools import partial

import jax
import jax.numpy as jnp
from flax import linen as nn

from bnjax import ops
from bnjax.linen import _fields, _layer


class InstanceNorm(nn.InstanceNorm):
  """Drop-in for `flax.linen.InstanceNorm`: same arguments, same variables.

  y = (x - mean) / sqrt(var + epsilon) * scale + bias, over each example's space

  It differs on purpose in what `LayerNorm` lists. The first axis is the batch,
  all axes but that and `feature_axes` are space.

  Raises:
    TypeError: x is complex, or the mask is floating.
    ValueError: axes, shapes or masks that do not fit; or no space, or a single
      position: one number has no variance.

  Reference:
    Ulyanov, Vedaldi and Lempitsky (2016), arXiv:1607.08022.

  Example:
    >>> import jax
    >>> import jax.numpy as jnp
    >>> from bnjax.linen import InstanceNorm
    >>> x = jnp.array([[[1.0], [5.0]]])
    >>> y, _ = InstanceNorm().init_with_output(jax.random.key(0), x)
    >>> y.round(3)
    Array([[[-1.], [ 1.]]], dtype=float32)
  """

  @nn.compact
  def __call__(
    self,
    x: jax.Array,
    use_running_average: bool | None = None,
    *,
    mask: jax.Array | None = None,
  ) -> jax.Array:
    """Normalizes each feature of each example.

    Args:
      x: floating or integer array, with the batch on its first axis.
      use_running_average: ignored, see `LayerNorm`.
      mask: broadcastable to `x`, True where a value counts.

    Returns:
      An array of the shape of `x` and of `dtype`, by default that of `x`,
      scale and bias promoted together.
    """
    del use_running_average
    x = jnp.asarray(x)
    features = _layer.feature_axes(x.ndim, self.feature_axes)
    if 0 in features:
      raise ValueError(
        f"feature_axes={self.feature_axes} hold the first axis of x {x.shape}, "
        "which is the batch."
      )
    space = tuple(a for a in range(1, x.ndim) if a not in features)
    function = partial(
      ops.layer_norm,
      reduction_axes=space,
      feature_axes=features,
      epsilon=self.epsilon,
    )
    parameters = _fields.affine(self, x, features)
    return _fields.normalize(self, function, x, parameters, mask)


__all__ = ["InstanceNorm"]
