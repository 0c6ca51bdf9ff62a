"""The norm of the 2018 post on very deep networks, with its error or without.

The post (Varma 2018, "Training very deep networks with Batchnorm") keeps
examples in columns and averages over rows: over the features of each example,
which is layer norm, not batch norm. It has no epsilon, scale or bias. Its
derivative differs in two places from that of the paper, which it cites:

  paper: dx = dx̂ / σ + dvar * +2 (x - μ) / m + dmean / m,
         dmean = sum(-dx̂ / σ) + dvar * sum(-2 (x - μ)) / m
  post:  dx = dx̂ / σ + dvar * -2 (x - μ) / m + dmean / m,
         dmean = sum(-dx̂ / σ) + dvar * -2 (x - μ) / m

with dvar = sum(dx̂ (x - μ)) * -½ σ^-3 in both. The paper's second term of dmean
is 0. With the wrong sign what should be subtracted is added: in the post's
network the variance of gradients grows 3.5 times a layer instead of 1.5 times.
"""

from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from bnjax import ops
from bnjax.linen import _fields

DERIVATIVES = ("as_published", "corrected")


class FeatureNorm(nn.Module):
  """Layer norm without epsilon, scale and bias, as published or corrected.

  y = (x - mean) / sqrt(var), over the last axis

  An example whose features are all equal becomes NaN.

  Attributes:
    derivative: `corrected`, or `as_published`, which is wrong on purpose and
      has no forward-mode derivative.
    dtype: of the result; by default that of x.

  Raises:
    TypeError: x is complex, or the mask is floating.
    ValueError: the derivative is neither, or a single feature.

  Reference:
    Varma (2018), "Training very deep networks with Batchnorm".

  Example:
    >>> import jax.numpy as jnp
    >>> from bnjax.linen import FeatureNorm
    >>> FeatureNorm().apply({}, jnp.array([[1.0, 5.0]]))
    Array([[-1.,  1.]], dtype=float32)
  """

  derivative: str = "corrected"
  dtype: Any = None

  def __post_init__(self) -> None:
    """Checks the name of the derivative."""
    if self.derivative not in DERIVATIVES:
      raise ValueError(
        "derivative must be 'corrected' or 'as_published', got "
        f"{self.derivative!r}."
      )
    super().__post_init__()

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
      mask: broadcastable to `x`, True where a value counts; with the published
        derivative, one of examples.

    Returns:
      An array of the shape of `x` and of `dtype`.
    """
    del use_running_average
    as_published = self.derivative == "as_published"
    function = _as_published if as_published else _corrected
    return _fields.normalize(self, function, jnp.asarray(x), {}, mask)


def _corrected(x: jax.Array, *, mask: jax.Array | None) -> jax.Array:
  return ops.layer_norm(x, epsilon=0.0, mask=mask)


def _as_published(x: jax.Array, *, mask: jax.Array | None) -> jax.Array:
  if mask is None:
    return normalize_as_published(x)
  # Padding may be constant, and its derivative 0 * inf: let it be a ramp.
  ramp = jnp.arange(x.shape[-1], dtype=x.dtype)
  ramp = jnp.broadcast_to(ramp, x.shape)
  y = normalize_as_published(jnp.where(mask, x, ramp))
  return jnp.where(mask, y, jnp.zeros_like(y))


@jax.custom_vjp
def normalize_as_published(x: jax.Array) -> jax.Array:
  """`(x - mean) / std` over the last axis, with the post's derivative."""
  return ops.layer_norm(x, epsilon=0.0)


def _forward(x: jax.Array) -> tuple[jax.Array, jax.Array]:
  return normalize_as_published(x), x


def _backward(x: jax.Array, dy: jax.Array) -> tuple[jax.Array]:
  """The cotangent of `x`, by the formula above."""
  dtype = jnp.promote_types(x.dtype, jnp.float32)
  wide, dy = x.astype(dtype), dy.astype(dtype)
  m = x.shape[-1]
  centered = wide - jnp.mean(wide, axis=-1, keepdims=True)
  var = jnp.mean(jnp.square(centered), axis=-1, keepdims=True)
  inverse = jax.lax.rsqrt(var)
  dvar = -0.5 * inverse**3 * jnp.sum(dy * centered, axis=-1, keepdims=True)
  by_var = dvar * -2 * centered / m
  dmean = -inverse * jnp.sum(dy, axis=-1, keepdims=True) + by_var
  return ((dy * inverse + by_var + dmean / m).astype(x.dtype),)


normalize_as_published.defvjp(_forward, _backward)


__all__ = ["FeatureNorm", "normalize_as_published"]
