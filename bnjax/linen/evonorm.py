"""EvoNorm-B0 and -S0 for Flax linen: normalization and activation in one."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn
from jax import lax

from bnjax import ops
from bnjax.linen import _fields

Initializer = Callable[..., Any]


class EvoNormB0(nn.Module):
  """EvoNorm-B0, of the batch's variance and each example's own.

  y = x / max(sqrt(var_batch + epsilon), v * x + sqrt(var_space + epsilon))
      * scale + bias

  It is nonlinear: put no activation after it. In inference the variance is the
  running one. `params` are `scale`, `bias` and `v`, `batch_stats` `mean` (which
  nothing reads) and `var`.

  Attributes:
    use_running_average: infer instead of training; here or in the call.
    axis: of the features.
    batch_axes: those of the examples; all others are space.
    momentum: of the running statistics, as in `BatchNorm`.
    epsilon: added to both variances.
    dtype: of the result; by default that of x and the parameters together.
    param_dtype: of the parameters.
    use_bias: whether there is one.
    use_scale: likewise.
    bias_init: its initializer.
    scale_init: likewise.
    v_init: likewise.
    axis_name: named axes over which the examples are sharded.
    axis_index_groups: lists of indices along axis_name that pool together.
    force_float32_reductions: whether `batch_stats` are float32 at the least.

  Raises:
    TypeError: x is complex, or the mask is floating.
    ValueError: axes, shapes or masks that do not fit; or one value per feature
      in training.

  Reference:
    Liu, Brock, Simonyan and Le (2020), arXiv:2004.02967.

  Example:
    >>> import jax
    >>> import jax.numpy as jnp
    >>> from bnjax.linen import EvoNormB0
    >>> x = jnp.array([[-2.0], [2.0]])  # Variance 4, so max(2, x).
    >>> norm = EvoNormB0(use_running_average=False, epsilon=0.0)
    >>> variables = norm.init(jax.random.key(0), x)
    >>> y, _ = norm.apply(variables, x, mutable=["batch_stats"])
    >>> y
    Array([[-1.], [ 1.]], dtype=float32)
  """

  use_running_average: bool | None = None
  axis: int = -1
  batch_axes: int | Sequence[int] = 0
  momentum: Any = 0.99
  epsilon: Any = 1e-5
  dtype: Any = None
  param_dtype: Any = jnp.float32
  use_bias: bool = True
  use_scale: bool = True
  bias_init: Initializer = nn.initializers.zeros
  scale_init: Initializer = nn.initializers.ones
  v_init: Initializer = nn.initializers.ones
  axis_name: str | tuple[str, ...] | None = None
  axis_index_groups: Any = None
  force_float32_reductions: bool = True

  @nn.compact
  def __call__(
    self,
    x: jax.Array,
    use_running_average: bool | None = None,
    *,
    mask: jax.Array | None = None,
  ) -> jax.Array:
    """Normalizes `x`, and updates the running statistics in training.

    Args:
      x: floating or integer array.
      use_running_average: as the attribute; in one of the places.
      mask: broadcastable to `x`, True where a value counts.

    Returns:
      An array of the shape of `x` and of `dtype`.
    """
    x = jnp.asarray(x)
    infer = _fields.by_running(self, use_running_average)
    shape, dtype = (x.shape[self.axis],), _fields.running_dtype(self)
    mean = self.variable("batch_stats", "mean", jnp.zeros, shape, dtype)
    var = self.variable("batch_stats", "var", jnp.ones, shape, dtype)
    parameters = _fields.affine(self, x, self.axis)
    v = self.param("v", self.v_init, shape, self.param_dtype)
    function = partial(
      ops.evonorm_b0,
      var=var.value if infer else None,
      feature_axis=self.axis,
      batch_axes=self.batch_axes,
      epsilon=self.epsilon,
    )
    y, moments = _fields.normalize(
      self, function, x, {**parameters, "v": v}, mask
    )
    if not infer:
      zero = jnp.zeros_like(mean.value)  # Weight, which this rule ignores.
      new = ops.update_running(
        ops.Running(mean.value, var.value, zero),
        lax.stop_gradient(moments),
        ops.ema(self.momentum),
      )
      mean.value, var.value = new.mean, new.var
    return y


class EvoNormS0(nn.Module):
  """EvoNorm-S0, of each example alone: Swish over a group's deviation.

  y = x * sigmoid(v * x) / sqrt(var_group + epsilon) * scale + bias

  It is nonlinear: put no activation after it. The groups are `GroupNorm`'s.

  Attributes:
    num_groups: of consecutive features; None: chosen as by `GroupNorm`.
    group_size: or how many features each has.
    axis: of the features.
    batch_axes: those of the examples; all others are space.
    epsilon: added to the variance.
    dtype: of the result; by default that of x and the parameters together.
    param_dtype: of the parameters.
    use_bias: whether there is one.
    use_scale: likewise.
    bias_init: its initializer.
    scale_init: likewise.
    v_init: likewise.

  Raises:
    TypeError: x is complex, or the mask is floating.
    ValueError: axes, shapes, groups or masks that do not fit; or one number a
      group, which has no variance.

  Reference:
    Liu, Brock, Simonyan and Le (2020), arXiv:2004.02967.

  Example:
    >>> import jax
    >>> import jax.numpy as jnp
    >>> from bnjax.linen import EvoNormS0
    >>> x = jnp.array([[-2.0, 2.0]])  # Variance 4, and sigmoid(0) is 1/2.
    >>> norm = EvoNormS0(v_init=jax.nn.initializers.zeros)
    >>> y, _ = norm.init_with_output(jax.random.key(0), x)
    >>> y.round(3)
    Array([[-0.5,  0.5]], dtype=float32)
  """

  num_groups: int | None = None
  group_size: int | None = None
  axis: int = -1
  batch_axes: int | Sequence[int] = 0
  epsilon: Any = 1e-5
  dtype: Any = None
  param_dtype: Any = jnp.float32
  use_bias: bool = True
  use_scale: bool = True
  bias_init: Initializer = nn.initializers.zeros
  scale_init: Initializer = nn.initializers.ones
  v_init: Initializer = nn.initializers.ones

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
      An array of the shape of `x` and of `dtype`.
    """
    del use_running_average
    x = jnp.asarray(x)
    features = x.shape[self.axis]
    parameters = _fields.affine(self, x, self.axis)
    v = self.param("v", self.v_init, (features,), self.param_dtype)
    function = partial(
      ops.evonorm_s0,
      groups=_fields.group_count(features, self.num_groups, self.group_size),
      feature_axis=self.axis,
      batch_axes=self.batch_axes,
      epsilon=self.epsilon,
    )
    return _fields.normalize(self, function, x, {**parameters, "v": v}, mask)


__all__ = ["EvoNormB0", "EvoNormS0"]
