"""Batch normalization for Flax linen, instead of `flax.linen.BatchNorm`."""

from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn
from jax.nn import initializers

from bnjax.ops import batch_norm, normalize


class BatchNorm(nn.Module):
  """Drop-in for `flax.linen.BatchNorm`: same arguments, same variables.

  Attributes:
    use_running_average: normalize by the running statistics (at inference)
      rather than by those of the batch. Here or in the call, not both.
    axis: the feature axis or axes; the statistics are over all others.
    momentum: Flax's name for `decay`: `new = momentum * old + (1 - momentum) *
      batch`. PyTorch's momentum is one minus this.
    epsilon: added to the variance.
    dtype: of the result; by default that of the input and parameters.
    param_dtype: of the parameters.
    use_bias: whether there is a `bias` (beta).
    use_scale: whether there is a `scale` (gamma).
    bias_init: initializer of `bias`.
    scale_init: initializer of `scale`.
    axis_name: of the mapped axis (or axes) whose devices form one batch.
    axis_index_groups: groups of indices along `axis_name` to normalize apart.
    use_fast_variance: accepted for Flax's signature; has no effect, since the
      exact variance here costs no more than the fast one.
    force_float32_reductions: whether running statistics are float32 rather
      than `param_dtype`. Batch statistics always are at least float32.
  """

  use_running_average: bool | None = None
  axis: int | tuple[int, ...] = -1
  momentum: Any = 0.99
  epsilon: Any = 1e-5
  dtype: Any = None
  param_dtype: Any = jnp.float32
  use_bias: bool = True
  use_scale: bool = True
  bias_init: Any = initializers.zeros
  scale_init: Any = initializers.ones
  axis_name: Any = None
  axis_index_groups: Any = None
  use_fast_variance: bool = True
  force_float32_reductions: bool = True

  @nn.compact
  def __call__(
    self,
    x: jax.Array,
    use_running_average: bool | None = None,
    *,
    mask: jax.Array | None = None,
  ) -> jax.Array:
    """Normalizes `x`.

    Args:
      x: any array with the feature axes `axis`.
      use_running_average: as the attribute of that name.
      mask: broadcastable to `x`, True where a value counts in the statistics.

    Returns:
      An array of the shape of `x`.
    """
    use_running_average = nn.merge_param(
      "use_running_average", self.use_running_average, use_running_average
    )
    axes = self.axis if isinstance(self.axis, tuple) else (self.axis,)
    shape = [x.shape[axis] for axis in axes]
    stats_dtype = (
      jnp.float32 if self.force_float32_reductions else self.param_dtype
    )
    running_mean = self.variable(
      "batch_stats", "mean", jnp.zeros, shape, stats_dtype
    )
    running_var = self.variable(
      "batch_stats", "var", jnp.ones, shape, stats_dtype
    )
    scale = (
      self.param("scale", self.scale_init, shape, self.param_dtype)
      if self.use_scale
      else None
    )
    bias = (
      self.param("bias", self.bias_init, shape, self.param_dtype)
      if self.use_bias
      else None
    )
    if use_running_average:
      return normalize(
        x,
        running_mean.value,
        running_var.value,
        scale,
        bias,
        feature_axes=self.axis,
        epsilon=self.epsilon,
      )
    y, moments = batch_norm(
      x,
      scale,
      bias,
      feature_axes=self.axis,
      epsilon=self.epsilon,
      mask=mask,
      axis_name=None if self.is_initializing() else self.axis_name,
    )
    if not self.is_initializing():
      decay = self.momentum
      running_mean.value = (
        decay * running_mean.value + (1 - decay) * moments.mean
      )
      running_var.value = decay * running_var.value + (1 - decay) * moments.var
    return y
