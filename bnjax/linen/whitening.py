"""Whitening for Flax linen: by eigenvectors, or by Newton's iteration."""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from bnjax import ops
from bnjax.linen import _fields, _layer

Initializer = Callable[..., Any]


class Whitening(nn.Module):
  """Whitening: zero means, unit variances, no correlations (ZCA).

  y = (cov + epsilon I)^-1/2 (x - mean) * scale + bias, for each group

  In inference, mean and covariance are the running ones: `mean` and `cov`,
  `[groups, size, size]`, in `batch_stats`. Groups of one feature are batch
  norm. A batch needs more examples (and positions) than a group has features.

  Attributes:
    use_running_average: infer instead of training; here or in the call.
    axis: of the features.
    momentum: of the running statistics, as in `BatchNorm`.
    epsilon: added to the variances.
    group_size: how many features are decorrelated with each other: the largest
      divisor of their number that is not above this. None: all of them.
    dtype: of the result; by default that of x and the parameters together.
    param_dtype: of the parameters.
    use_bias: whether there is one.
    use_scale: likewise.
    bias_init: its initializer.
    scale_init: likewise.
    axis_name: named axes over which the examples are sharded.
    force_float32_reductions: whether `batch_stats` are float32 at the least.

  Raises:
    TypeError: x is complex, or the mask is floating.
    ValueError: axes or shapes that do not fit, a mask that differs between
      features, or a single example in training.

  Reference:
    Huang, Yang, Lang and Deng (2018), arXiv:1804.08450.

  Example:
    >>> import jax
    >>> import jax.numpy as jnp
    >>> from bnjax.linen import Whitening
    >>> x = jnp.array([[3.0, 3.0], [-3.0, -3.0], [1.0, -1.0], [-1.0, 1.0]])
    >>> norm = Whitening(use_running_average=False)
    >>> variables = norm.init(jax.random.key(0), x)
    >>> y, _ = norm.apply(variables, x, mutable=["batch_stats"])
    >>> (y.T @ y / 4).round(3) + 0.0
    Array([[1., 0.], [0., 1.]], dtype=float32)
  """

  use_running_average: bool | None = None
  axis: int = -1
  momentum: Any = 0.99
  epsilon: Any = 1e-5
  group_size: int | None = 16
  dtype: Any = None
  param_dtype: Any = jnp.float32
  use_bias: bool = True
  use_scale: bool = True
  bias_init: Initializer = nn.initializers.zeros
  scale_init: Initializer = nn.initializers.ones
  axis_name: str | tuple[str, ...] | None = None
  force_float32_reductions: bool = True

  @nn.compact
  def __call__(
    self,
    x: jax.Array,
    use_running_average: bool | None = None,
    *,
    mask: jax.Array | None = None,
  ) -> jax.Array:
    """Whitens `x`, and updates the running statistics in training.

    Args:
      x: floating or integer array.
      use_running_average: as the attribute; in one of the places.
      mask: broadcastable to `x`, True where an example (and position) counts,
        the same for all features.

    Returns:
      An array of the shape of `x` and of `dtype`.
    """
    x = jnp.asarray(x)
    infer = _fields.by_running(self, use_running_average)
    features, dtype = x.shape[self.axis], _fields.running_dtype(self)
    groups = self._groups(features)
    start = ops.init_covariance(features, groups=groups)
    keep = lambda name, value: self.variable(
      "batch_stats", name, lambda: value.astype(dtype)
    )
    mean, cov = keep("mean", start.mean), keep("cov", start.cov)
    parameters = _fields.affine(self, x, self.axis)
    whiten, root = self._functions()
    if infer:

      def function(x: jax.Array, *, mask: Any, **others: Any) -> jax.Array:
        del mask  # Nothing is averaged.
        others.pop("axis_name", None)
        matrix = root(cov.value.astype(_layer._wider(x.dtype, jnp.float32)))
        return ops.apply_whitening(
          x, mean.value, matrix, feature_axis=self.axis, **others
        )

      return _fields.normalize(self, function, x, parameters)
    function = partial(whiten, groups=groups, feature_axis=self.axis)
    y, batch = _fields.normalize(self, function, x, parameters, mask)
    running = ops.Covariance(jnp.zeros(()), mean.value, cov.value)
    new = ops.update_covariance(running, batch, self.momentum)
    mean.value, cov.value = new.mean.astype(dtype), new.cov.astype(dtype)
    return y

  def _groups(self, features: int) -> int:
    size = features if self.group_size is None else self.group_size
    if size < 1:
      raise ValueError(f"group_size={size} must be at least 1.")
    return features // _fields.largest_divisor(features, size)

  def _functions(self) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """Whitens a batch, and takes the inverse root of a covariance."""
    return (
      partial(ops.whiten, epsilon=self.epsilon),
      partial(ops.zca_matrix, epsilon=self.epsilon),
    )


class IterNorm(Whitening):
  """Whitening by Newton's iteration, which comes near without eigenvectors.

  y = W (x - mean) * scale + bias, W of `bnjax.newton_matrix`, for each group

  Few steps leave directions of small variance small, which is gentler than to
  blow up their noise. Everything else is `Whitening`'s.

  Attributes:
    steps: of the iteration.

  Reference:
    Huang, Zhou, Zhu, Liu and Shao (2019), arXiv:1904.03441.

  Example:
    >>> import jax
    >>> import jax.numpy as jnp
    >>> from bnjax.linen import IterNorm
    >>> x = jnp.array([[3.0, 3.0], [-3.0, -3.0], [1.0, -1.0], [-1.0, 1.0]])
    >>> norm = IterNorm(use_running_average=False, steps=10)
    >>> variables = norm.init(jax.random.key(0), x)
    >>> y, _ = norm.apply(variables, x, mutable=["batch_stats"])
    >>> (y.T @ y / 4).round(3) + 0.0
    Array([[1., 0.], [0., 1.]], dtype=float32)
  """

  steps: int = 5

  def _functions(self) -> tuple[Callable[..., Any], Callable[..., Any]]:
    options = {"epsilon": self.epsilon, "steps": self.steps}
    return (
      partial(ops.iter_norm, **options),
      partial(ops.newton_matrix, **options),
    )


__all__ = ["IterNorm", "Whitening"]
