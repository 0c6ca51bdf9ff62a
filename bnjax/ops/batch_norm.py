"""The training transform: normalization by the batch's own statistics."""

import math
from collections.abc import Sequence
from typing import Literal

from jaxtyping import Array, Bool, Float, Int

from bnjax.ops import _arguments, _axes, _devices
from bnjax.ops._by_shards import transform
from bnjax.ops._derivative import Affine, Plan, split_epsilon
from bnjax.ops._one_value import refuse_to_run
from bnjax.ops.moments import Moments, from_statistics


def batch_norm(
  x: Float[Array, "..."],
  scale: Float[Array, "..."] | None = None,
  bias: Float[Array, "..."] | None = None,
  *,
  feature_axes: int | Sequence[int] = -1,
  epsilon: float | Float[Array, ""] = 1e-5,
  mask: Bool[Array, "..."] | None = None,
  weights: Float[Array, "..."] | Int[Array, "..."] | None = None,
  axis_name: str | tuple[str, ...] | None = None,
  axis_index_groups: Sequence[Sequence[int]] | None = None,
  activation: Literal["relu"] | None = None,
) -> tuple[Float[Array, "..."], Moments]:
  """Normalizes a batch by its own mean and variance.

  y = (x - mean) / sqrt(var + epsilon) * scale + bias

  The derivative is exact in every mode and order, and stores x and vectors
  only. A batch in which nothing counts has y = 0 and a gradient of zero. Where
  the sum of squared deviations overflows (in float32, at deviations of 1e19),
  y is NaN.

  Args:
    x: real floating array; statistics are kept in at least float32.
    scale: gamma, with the shape of the feature axes in array order; or None.
    bias: beta, likewise.
    feature_axes: the axes that keep statistics of their own.
    epsilon: added to the variance; one number, which may be traced.
    mask: True where x counts; broadcasts to x. Masked cells may hold anything,
      NaN too: they are 0 in y and take no part in statistics and gradients.
    weights: how often x counts in the mean and the variance, from 0, see
      `batch_moments`; broadcasts to x. y is computed for all cells, those of
      weight 0, too. No gradient flows into the weights.
    axis_name: named axes (vmap, pmap, shard_map) whose members are one batch:
      weighted by count, with one collective forward and one backward. Under
      plain `jit` of sharded arrays the batch is whole without it.
    axis_index_groups: lists of indices along axis_name that pool together.
    activation: "relu" applies max(y, 0) without storing y.

  Returns:
    y with x's shape and dtype, and the batch's Moments, from which running
    statistics are made. They are differentiable; `lax.stop_gradient` them
    where that is not wanted.

  Raises:
    TypeError: x is complex or not floating; mask is not boolean, or weights
      are.
    ValueError: axes, shapes or groups that do not fit; or one number per
      feature, whose variance is 0 whatever it is: once that is run, or
      compiled, so `jax.eval_shape` goes through. Where it can only be
      known at run time (a mask, an axis_name), y is then `bias` and the
      gradient with respect to x is zero.

  Reference:
    Ioffe and Szegedy (2015), arXiv:1502.03167, Algorithm 1.

  Example:
    >>> import jax.numpy as jnp
    >>> from bnjax.ops import batch_norm
    >>> y, moments = batch_norm(jnp.array([[1.0], [5.0]]), epsilon=0.0)
    >>> y
    Array([[-1.], [ 1.]], dtype=float32)
    >>> moments.mean, moments.var
    (Array([3.], dtype=float32), Array([4.], dtype=float32))
  """
  x = _axes.as_array(x)
  dtype = _axes.statistics_dtype(x.dtype)
  axes = _axes.reduced_axes(x.ndim, feature_axes)
  mask = _axes.as_mask(mask, x)
  _arguments.choice("activation", activation, (None, "relu"))
  weights = _axes.as_weights(weights, mask, x, dtype)
  if scale is not None:
    scale = _axes.per_feature("scale", scale, x, axes)
  if bias is not None:
    bias = _axes.per_feature("bias", bias, x, axes)
  pool = _devices.make_pool(axis_name, axis_index_groups)
  known, traced = split_epsilon(epsilon, dtype)
  least = 1 if weights is None else 0
  plan = Plan(axes, pool, known, activation == "relu", least)
  y, stats = transform(plan, x, mask, Affine(scale, bias, traced), weights)
  count = math.prod(x.shape[axis] for axis in axes)
  if count == 1 and mask is None and axis_name is None:
    y = refuse_to_run(y)
  return y, from_statistics(stats)
