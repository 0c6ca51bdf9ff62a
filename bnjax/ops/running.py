"""Running statistics: what inference normalizes by, updated batch by batch."""

from collections.abc import Sequence
from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, DTypeLike, Float

from bnjax.ops._dtypes import widest
from bnjax.ops._explicit import alike
from bnjax.ops.moments import Moments
from bnjax.ops.rules import Rule


class Running(NamedTuple):
  """Running mean and variance, read as they are under every rule.

  Attributes:
    mean: per feature.
    var: per feature.
    weight: per feature, how much the batches so far weigh in mean and var:
      1 - decay^n of an EMA, whose rest are the initial values; the number of
      batches, or of values, of a cumulative average. 0 before the first.
  """

  mean: Float[Array, "..."]
  var: Float[Array, "..."]
  weight: Float[Array, "..."]


def init_running(
  shape: int | Sequence[int],
  *,
  mean: float = 0.0,
  var: float = 1.0,
  dtype: DTypeLike = jnp.float32,
) -> Running:
  """Returns running statistics that have seen no batch.

  Args:
    shape: of the features.
    mean: what to normalize by before the first batch.
    var: likewise. With 0 and 1, normalizing does nothing, as in every library.
    dtype: of the statistics; at least float32 is advised whatever the model's.

  Returns:
    Running of that shape and dtype.

  Example:
    >>> init_running(2).var
    Array([1., 1.], dtype=float32)
  """
  zeros = jnp.zeros(shape, dtype)
  return Running(zeros + mean, zeros + var, zeros)


def update_running(running: Running, moments: Moments, rule: Rule) -> Running:
  """Returns the running statistics after one more batch.

  mean = mean + gain * (batch_mean - mean), and var likewise, where gain is
  1 - decay (ema), (1 - decay) / (1 - decay^n) (debiased), 1 / n (cumulative).
  By count, the statistics of all numbers so far are those of
  `merge_moments`.

  A batch in which nothing counts leaves everything as it was, bit by bit; so
  does one value, of which there is no unbiased variance, if that is followed.
  Feature by feature, if the mask differs between features. On an explicit mesh,
  the running statistics stay sharded as they are.

  Args:
    running: statistics so far.
    moments: of the batch: of all devices and microbatches, merged, since an
      update is made once for each. Not detached: see `lax.stop_gradient`.
    rule: see `bnjax.ops.rules`; the same at every step, except for its decay.

  Returns:
    Running of the same shapes and dtypes, computed in the wider of both
    and float32.

  Raises:
    ValueError: shapes that do not fit.

  Example:
    >>> import jax.numpy as jnp
    >>> from bnjax.ops import batch_moments, debiased_ema
    >>> batch = batch_moments(jnp.array([[1.0], [5.0]]))
    >>> update_running(init_running(1), batch, debiased_ema(0.5))
    Running(mean=Array([3.], dtype=float32), var=Array([4.], dtype=float32),
      weight=Array([0.5], dtype=float32))
  """
  _check_shapes(running, moments)
  moments = Moments(*(alike(value, running.mean) for value in moments))
  dtype = widest(running.mean.dtype, moments.mean.dtype)
  old = Running(*(value.astype(dtype) for value in running))
  count, mean, m2 = (value.astype(dtype) for value in moments)
  share = 1 if rule.decay is None else 1 - _as(rule.decay, dtype)
  kept = 1 if rule.decay is None else _as(rule.decay, dtype)
  if rule.by_count:
    share = count
  weight = kept * old.weight + share
  some = jnp.where(weight > 0, weight, 1)
  gain = share if _plain(rule) else share / some
  # The first batch replaces the initial values: exactly, not by a difference.
  begins = (old.weight == 0) & (weight > 0) & (not _plain(rule))
  new_mean = jnp.where(begins, mean, old.mean + gain * (mean - old.mean))
  less = 1 if rule.unbiased else 0
  if rule.by_count:
    apart = mean - old.mean
    between = jnp.square(apart) * old.weight * gain
    within = old.var * jnp.maximum(old.weight - less, 0) + m2
    var = (within + between) / jnp.maximum(weight - less, 1)
  else:
    batch_var = m2 / jnp.maximum(count - less, 1)
    var = old.var + gain * (batch_var - old.var)
    var = jnp.where(begins, batch_var, var)
  counts = count > (0 if rule.by_count else less)
  new = Running(new_mean, var, weight)
  return Running(
    *(
      jnp.where(counts, b, a).astype(before.dtype)
      for a, b, before in zip(old, new, running, strict=True)
    )
  )


def empty_moments(
  shape: int | Sequence[int], dtype: DTypeLike = jnp.float32
) -> Moments:
  """Returns the moments of nothing, with which an accumulation starts.

  Merging the moments of microbatches gives exactly those of the large batch,
  committed by one `update_running` for each optimizer step. The outputs and
  gradients are still not those of the large batch: each microbatch was
  normalized by its own statistics.

  Args:
    shape: of the features.
    dtype: of the statistics.

  Returns:
    Moments with a scalar count of 0.

  Example:
    >>> import jax
    >>> import jax.numpy as jnp
    >>> from bnjax.ops import batch_moments, merge_moments
    >>> def step(total, microbatch):  # ... and gradients
    ...   return merge_moments(total, batch_moments(microbatch)), None
    >>> x = jnp.arange(8.0).reshape(4, 2, 1)  # Four microbatches of two.
    >>> jax.lax.scan(step, empty_moments(1), x)[0].var
    Array([5.25], dtype=float32)
  """
  zeros = jnp.zeros(shape, dtype)
  return Moments(jnp.zeros((), dtype), zeros, zeros)


def _plain(rule: Rule) -> bool:
  """Whether the initial values stay in the average."""
  return rule.decay is not None and not rule.debias


def _as(
  decay: float | Float[Array, ""], dtype: DTypeLike
) -> float | Float[Array, ""]:
  """Returns a Python number as it is, an array in the statistics' dtype."""
  return decay if isinstance(decay, (int, float)) else decay.astype(dtype)


def _check_shapes(running: Running, moments: Moments) -> None:
  shape = running.mean.shape
  if running.var.shape != shape or moments.mean.shape != shape:
    raise ValueError(
      f"Running mean {shape} and var {running.var.shape} must have the shape "
      f"of the batch's moments {moments.mean.shape}."
    )
  if moments.count.shape not in ((), running.weight.shape):
    raise ValueError(
      f"Counts differ between features, {moments.count.shape}, so the running "
      f"weight must have their shape, not {running.weight.shape}."
    )


__all__ = ["Running", "empty_moments", "init_running", "update_running"]
