"""Weight standardization of a Flax linen layer's kernel."""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from bnjax import ops

Initializer = Callable[..., Any]


class WeightStandardization(nn.Module):
  """A layer whose kernel is standardized where it is used.

  w = (kernel - mean) / sqrt(var + epsilon) * scale, for each output

  The layer's own parameters stay as they are, under its own name, like those
  inside `flax.linen.WeightNorm`, whose arguments these are. Training and
  inference are alike.

  Attributes:
    layer_instance: such as `nn.Dense(4)` or `nn.Conv(8, (3, 3))`.
    epsilon: added to the variance; small beside that of the kernels.
    dtype: of the standardized kernel; by default that of the kernel.
    param_dtype: of the scale.
    use_scale: whether each output has one, `LAYER/kernel/scale` in `params`.
    scale_init: its initializer.
    feature_axes: the axes of the outputs.
    variable_filter: a parameter is standardized if one of these is in its
      path. None: all are.
    by_fan_in: also divide by sqrt(fan_in): scaled weight standardization.

  Raises:
    ValueError: a fan-in of one.

  Reference:
    Qiao et al. (2019), arXiv:1903.10520; by_fan_in: Brock, De and Smith
    (2021), arXiv:2101.08692.

  Example:
    >>> import jax
    >>> import jax.numpy as jnp
    >>> from flax import linen as nn
    >>> from bnjax.linen import WeightStandardization
    >>> layer = WeightStandardization(nn.Dense(1), epsilon=0.0)
    >>> kernel = jnp.array([[1.0], [5.0]])
    >>> params = {"layer_instance": {"kernel": kernel, "bias": jnp.zeros(1)}}
    >>> layer.apply({"params": params}, jnp.array([[2.0, 3.0]]))
    Array([[1.]], dtype=float32)
  """

  layer_instance: nn.Module
  epsilon: Any = 1e-5
  dtype: Any = None
  param_dtype: Any = jnp.float32
  use_scale: bool = False
  scale_init: Initializer = nn.initializers.ones
  feature_axes: int | Sequence[int] = -1
  variable_filter: Sequence[str] | None = ("kernel",)
  by_fan_in: bool = False

  @nn.compact
  def __call__(self, *args: Any, **kwargs: Any) -> Any:
    """Calls the layer with its kernel standardized.

    Args:
      *args: of the layer.
      **kwargs: likewise.

    Returns:
      What the layer returns.
    """
    run = nn.map_variables(
      lambda layer: layer(*args, **kwargs),
      trans_in_fn=lambda variables: jax.tree_util.tree_map_with_path(
        self._standardize, variables
      ),
      init=self.is_initializing(),
    )
    return run(self.layer_instance)

  @nn.nowrap
  def _standardize(self, path: Any, value: Any) -> jax.Array:
    value = jnp.asarray(value)
    inner = jax.tree_util.keystr(path[1:], simple=True, separator="/")
    full = f"{self.layer_instance.name}/{inner}"
    wanted = self.variable_filter
    if wanted is not None and not any(part in full for part in wanted):
      return value
    gain = None
    if self.use_scale:
      axes = self.feature_axes
      axes = (axes,) if isinstance(axes, int) else axes
      shape = [value.shape[a] for a in sorted(a % value.ndim for a in axes)]
      gain = self.param(
        f"{full}/scale", self.scale_init, shape, self.param_dtype
      )
    w = ops.standardize_kernel(
      value,
      gain,
      output_axes=self.feature_axes,
      epsilon=self.epsilon,
      by_fan_in=self.by_fan_in,
    )
    return w if self.dtype is None else w.astype(self.dtype)


__all__ = ["WeightStandardization"]
