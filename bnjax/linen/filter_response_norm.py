"""Filter response normalization for Flax linen."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from bnjax import ops
from bnjax.linen import _fields

Initializer = Callable[..., Any]


class FilterResponseNorm(nn.Module):
  """Division of each feature by its root mean square over space, and a maximum.

  y = max(x / sqrt(mean_space(x^2) + |epsilon|) * scale + bias, threshold)

  The maximum with a learned threshold (TLU) is its activation: put no other
  after it. Where there is no space, epsilon decides the quotient's shape and
  is learned, in addition to `epsilon` and from 1e-4: `learned_epsilon` in
  `params`, one number.

  Attributes:
    axis: of the features.
    batch_axes: those of the examples; all others are space.
    epsilon: added to the mean square.
    learn_epsilon: whether epsilon is learned. None: where there is no space.
    dtype: of the result; by default that of x and the parameters together.
    param_dtype: of the parameters.
    use_bias: whether there is one.
    use_scale: likewise.
    use_threshold: likewise; without it there is no maximum.
    bias_init: its initializer.
    scale_init: likewise.
    threshold_init: likewise.
    axis_name: named axes over which space is sharded.

  Raises:
    TypeError: x is complex, or the mask is floating.
    ValueError: axes, shapes or masks that do not fit.

  Reference:
    Singh and Krishnan (2019), arXiv:1911.09737.

  Example:
    >>> import jax
    >>> import jax.numpy as jnp
    >>> from bnjax.linen import FilterResponseNorm
    >>> x = jnp.array([[[1.0], [-7.0]]])  # Mean square 25.
    >>> norm = FilterResponseNorm()
    >>> y, _ = norm.init_with_output(jax.random.key(0), x)
    >>> y.round(3)
    Array([[[0.2], [0. ]]], dtype=float32)
  """

  axis: int = -1
  batch_axes: int | Sequence[int] = 0
  epsilon: Any = 1e-6
  learn_epsilon: bool | None = None
  dtype: Any = None
  param_dtype: Any = jnp.float32
  use_bias: bool = True
  use_scale: bool = True
  use_threshold: bool = True
  bias_init: Initializer = nn.initializers.zeros
  scale_init: Initializer = nn.initializers.ones
  threshold_init: Initializer = nn.initializers.zeros
  axis_name: str | tuple[str, ...] | None = None

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
      x: floating or integer array.
      use_running_average: ignored, see `LayerNorm`.
      mask: broadcastable to `x`, True where a value counts.

    Returns:
      An array of the shape of `x` and of `dtype`.
    """
    del use_running_average
    x = jnp.asarray(x)
    parameters = _fields.affine(self, x, self.axis)
    if self.use_threshold:
      shape = (x.shape[self.axis],)
      parameters["threshold"] = self.param(
        "threshold", self.threshold_init, shape, self.param_dtype
      )
    learn = self.learn_epsilon
    if learn is None:
      learn = not self._has_space(x)
    if learn:
      parameters["learned_epsilon"] = self.param(
        "learned_epsilon",
        nn.initializers.constant(1e-4),
        (),
        self.param_dtype,
      )

    def function(
      x: jax.Array, *, learned_epsilon: Any = 0.0, **others: Any
    ) -> jax.Array:
      epsilon = self.epsilon + abs(learned_epsilon)
      return ops.filter_response_norm(x, epsilon=epsilon, **others)

    function = partial(
      function, feature_axis=self.axis, batch_axes=self.batch_axes
    )
    return _fields.normalize(self, function, x, parameters, mask)

  def _has_space(self, x: jax.Array) -> bool:
    """Whether an example has more than one position."""
    batch = self.batch_axes
    batch = (batch,) if isinstance(batch, int) else tuple(batch)
    others = {axis % x.ndim for axis in (*batch, self.axis)}
    return any(n > 1 for a, n in enumerate(x.shape) if a not in others)


__all__ = ["FilterResponseNorm"]
