"""Batch renormalization: training follows the running statistics, too."""

from collections.abc import Sequence
from typing import NamedTuple

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float, Int

from bnjax.ops import _arguments, _axes, _devices, _shared
from bnjax.ops._by_shards import statistics
from bnjax.ops._derivative import Plan
from bnjax.ops._statistics import spread
from bnjax.ops.moments import from_statistics
from bnjax.ops.rules import Preset, Rule, as_rule
from bnjax.ops.running import update_running
from bnjax.ops.state import Running


class RenormLimits(NamedTuple):
  """How far the correction may go.

  Attributes:
    r_max: 1 / r_max <= r <= r_max.
    d_max: -d_max <= d <= d_max.

  Example:
    >>> from bnjax.ops import RenormLimits
    >>> RenormLimits(r_max=1.0, d_max=0.0)._asdict()  # As batch norm.
    {'r_max': 1.0, 'd_max': 0.0}
  """

  r_max: float | Float[Array, ""]
  d_max: float | Float[Array, ""]


def batch_renorm(
  x: Float[Array, "..."],
  scale: Float[Array, "..."] | None,
  bias: Float[Array, "..."] | None,
  running: Running,
  *,
  rule: Rule | Preset | str,
  r_max: float | Float[Array, ""] = 3.0,
  d_max: float | Float[Array, ""] = 5.0,
  update: bool = True,
  feature_axes: int | Sequence[int] = -1,
  epsilon: float | Float[Array, ""] = 1e-5,
  mask: Bool[Array, "..."] | None = None,
  axis_name: str | tuple[str, ...] | None = None,
  axis_index_groups: Sequence[Sequence[int]] | None = None,
  skip_nonfinite: bool = False,
) -> tuple[Float[Array, "..."], Running]:
  """Normalizes a batch by its statistics, corrected to the running ones.

  With s = sqrt(var + epsilon) of the batch and S that of the running variance,

  r = clip(s / S, 1 / r_max, r_max),  d = clip((mean - MEAN) / S, -d_max, d_max)
  y = ((x - mean) / s * r + d) * scale + bias

  and no gradient through r and d. Unclipped, the values are those of inference
  and the gradients those of batch norm. With r_max=1 and d_max=0 it is
  `batch_norm`. Inference is `normalize` with the running statistics.

  The paper averages S; here, as in Flax's batch norm, it is the variance that
  is averaged. A batch of one value per feature is allowed: y is d then.

  Args:
    x: real floating array; statistics are kept in at least float32.
    scale: gamma, with the shape of the feature axes in array order; or None.
    bias: beta, likewise.
    running: the statistics so far: those before this batch correct it.
    rule: how they follow the batches, see `bnjax.ops.rules`. Of a preset, or
      its name, the rule alone is taken: epsilon is an argument of its own.
    r_max: at least 1; may be traced, see `renorm_schedule`.
    d_max: at least 0; likewise.
    update: whether the batch updates the running statistics.
    feature_axes: the axes that keep statistics of their own.
    epsilon: added to both variances.
    mask: True where x counts; broadcasts to x. Masked cells of y are 0.
    axis_name: named axes whose members are one batch.
    axis_index_groups: lists of indices along axis_name that pool together.
    skip_nonfinite: leave a batch out of the running statistics if any of its
      means or variances is infinite or NaN.

  Returns:
    y with x's shape and dtype, and Running, into which no gradient flows.

  Raises:
    TypeError: x is complex or not floating; mask is not boolean; rule is none.
    ValueError: axes, shapes or groups that do not fit, or limits that are
      Python numbers out of range.

  Reference:
    Ioffe (2017), arXiv:1702.03275, Algorithm 1.

  Example:
    >>> import jax.numpy as jnp
    >>> from bnjax.ops import batch_renorm, debiased_ema, init_running
    >>> x = jnp.array([[1.0], [5.0]])  # Mean 3, variance 4.
    >>> y, running = batch_renorm(
    ...   x, None, None, init_running(1), rule=debiased_ema(0.9), epsilon=0.0
    ... )
    >>> y  # (x - 0) / 1: what normalizing by the running statistics gives.
    Array([[1.], [5.]], dtype=float32)
  """
  x = _axes.as_array(x)
  _check_limits(r_max, d_max)
  _arguments.switch("update", update)
  _arguments.switch("skip_nonfinite", skip_nonfinite)
  rule = as_rule(rule)
  dtype = _axes.statistics_dtype(x.dtype)
  axes = _axes.reduced_axes(x.ndim, feature_axes)
  mask = _axes.as_mask(mask, x)
  pool = _devices.make_pool(axis_name, axis_index_groups)
  stats = statistics(Plan(axes, pool), x, mask)
  deviation = jnp.sqrt(spread(stats.count > 1, stats.var, epsilon))

  fixed = lax.stop_gradient((stats, deviation))
  mean = _axes.per_feature("running.mean", running.mean, x, axes)
  var = _axes.per_feature("running.var", running.var, x, axes)
  far = jnp.sqrt(lax.stop_gradient(var) + epsilon)
  apart = (fixed[0].shift - lax.stop_gradient(mean)) + fixed[0].rest
  r_max, d_max = jnp.asarray(r_max, dtype), jnp.asarray(d_max, dtype)
  r = jnp.clip(fixed[1] / far, 1 / r_max, r_max)
  d = jnp.clip(apart / far, -d_max, d_max)

  if scale is None:
    scale = jnp.ones_like(d)
  scale = _axes.per_feature("scale", scale, x, axes)
  d = scale * d
  if bias is not None:
    d = d + _axes.per_feature("bias", bias, x, axes)
  y = _shared.standardized(x, mask, stats, scale * r / deviation, d, axes)
  if update:
    running = update_running(
      running, from_statistics(fixed[0]), rule, skip_nonfinite=skip_nonfinite
    )
  return y, running


def renorm_schedule(
  step: int | Int[Array, ""],
  *,
  start: int = 5_000,
  r_end: int = 40_000,
  d_end: int = 25_000,
  r_max: float = 3.0,
  d_max: float = 5.0,
) -> RenormLimits:
  """Returns the limits at a step: batch norm first, then linearly relaxed.

  r_max goes from 1 at `start` to `r_max` at `r_end`, d_max from 0 at `start`
  to `d_max` at `d_end`. The defaults are the paper's for ImageNet.

  Args:
    step: number of updates before this one; may be traced.
    start: the last step that is batch norm.
    r_end: the step from which r_max stays.
    d_end: the step from which d_max stays.
    r_max: the final one.
    d_max: the final one.

  Returns:
    RenormLimits of float32 scalars.

  Raises:
    ValueError: an end before the start.

  Reference:
    Ioffe (2017), arXiv:1702.03275, section 4.1.

  Example:
    >>> from bnjax.ops import renorm_schedule
    >>> [float(limit) for limit in renorm_schedule(15_000)]
    [1.571..., 2.5]
  """
  if start >= r_end or start >= d_end:
    raise ValueError(
      f"start={start} must come before r_end={r_end} and d_end={d_end}."
    )

  def ramp(first: float, last: float, end: int) -> Array:
    since = jnp.asarray(step - start).astype(jnp.float32)
    return first + (last - first) * jnp.clip(since / (end - start), 0, 1)

  return RenormLimits(ramp(1.0, r_max, r_end), ramp(0.0, d_max, d_end))


def _check_limits(
  r_max: float | Float[Array, ""], d_max: float | Float[Array, ""]
) -> None:
  for name, limit, least in (("r_max", r_max, 1), ("d_max", d_max, 0)):
    if isinstance(limit, (int, float)) and not limit >= least:
      raise ValueError(f"{name} must be at least {least}, got {limit}.")


__all__ = ["RenormLimits", "batch_renorm", "renorm_schedule"]
