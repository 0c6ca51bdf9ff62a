"""Group normalization for Flax linen, instead of `flax.linen.GroupNorm`."""

from functools import partial

import jax
import jax.numpy as jnp
from flax import linen as nn

from bnjax import ops
from bnjax.linen import _fields, _layer


class GroupNorm(nn.GroupNorm):
  """Drop-in for `flax.linen.GroupNorm`: same arguments, same variables.

  y = (x - mean) / sqrt(var + epsilon) * scale + bias, over each example's space
  and over a group of consecutive features

  It differs on purpose in what `LayerNorm` lists. A mask may be broadcast over
  the features, too, and `num_groups=None` alone chooses: as many groups as
  divide the features, are not above the paper's 32, and have two features or
  more (in Flax: an error).

  Raises:
    TypeError: x is complex, or the mask is floating.
    ValueError: axes, shapes, groups or masks that do not fit; or one number a
      group, which has no variance.

  Reference:
    Wu and He (2018), arXiv:1803.08494.

  Example:
    >>> import jax
    >>> import jax.numpy as jnp
    >>> from bnjax.linen import GroupNorm
    >>> x = jnp.array([[1.0, 5.0, 0.0, 2.0]])
    >>> norm = GroupNorm(num_groups=2)
    >>> y, _ = norm.init_with_output(jax.random.key(0), x)
    >>> y.round(3)
    Array([[-1.,  1., -1.,  1.]], dtype=float32)
  """

  @nn.compact
  def __call__(
    self,
    x: jax.Array,
    use_running_average: bool | None = None,
    *,
    mask: jax.Array | None = None,
  ) -> jax.Array:
    """Normalizes each group of features of each example.

    Args:
      x: floating or integer array, with the features on its last axis.
      use_running_average: ignored, see `LayerNorm`.
      mask: broadcastable to `x`, True where a value counts.

    Returns:
      An array of the shape of `x` and of `dtype`, by default that of `x`,
      scale and bias promoted together.
    """
    del use_running_average
    x = jnp.asarray(x)
    reduced = tuple(range(1, x.ndim))
    if self.reduction_axes is not None:
      reduced = _layer.feature_axes(x.ndim, self.reduction_axes)
    if x.ndim - 1 not in reduced:
      raise ValueError(
        f"reduction_axes={self.reduction_axes} must hold the last axis, which "
        "is that of the features."
      )
    function = partial(
      ops.group_norm,
      groups=_fields.group_count(x.shape[-1], self.num_groups, self.group_size),
      batch_axes=tuple(a for a in range(x.ndim) if a not in reduced),
      epsilon=self.epsilon,
    )
    parameters = _fields.affine(self, x)
    return _fields.normalize(self, function, x, parameters, mask)


__all__ = ["GroupNorm"]
