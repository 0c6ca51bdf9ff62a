"""How running statistics, what inference normalizes by, follow the batches."""

import dataclasses
from collections.abc import Sequence
from functools import partial

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, DTypeLike, Float

from bnjax.ops import _arguments
from bnjax.ops._dtypes import widest
from bnjax.ops._explicit import alike
from bnjax.ops.moments import Moments
from bnjax.ops.rules import Preset, Rule, as_rule
from bnjax.ops.state import Running


def update_running(
  running: Running,
  moments: Moments,
  rule: Rule | Preset | str,
  *,
  skip_nonfinite: bool = False,
) -> Running:
  """Returns the running statistics after one more batch.

  mean = mean + gain * (batch_mean - mean), and var likewise, where gain is
  1 - decay (ema), (1 - decay) / (1 - decay^n) (debiased), 1 / n (cumulative).
  By count, the statistics of all numbers so far are those of
  `merge_moments`.

  A batch in which nothing counts leaves everything as it was, bit by bit. One
  value has a mean and no variance: under every rule it moves the mean and
  leaves the variance, whose weight is counted apart. Feature by feature, if
  the mask differs between features. On an explicit mesh, the running statistics
  stay sharded as they are.

  Args:
    running: statistics so far.
    moments: of the batch: of all devices and microbatches, merged, since an
      update is made once for each. Not detached: see `lax.stop_gradient`.
    rule: see `bnjax.ops.rules`; the same at every step, except for its decay.
      A preset, or its name, stands for the preset's rule; its epsilon is not
      for this function.
    skip_nonfinite: leave out a batch of which a mean or a squared deviation is
      infinite or NaN, for any feature: all features stay as they were.

  Returns:
    Running of the same shapes and dtypes, computed in the wider of both
    and float32.

  Raises:
    TypeError: rule is none.
    ValueError: shapes that do not fit, or an unknown preset.

  Example:
    >>> import jax.numpy as jnp
    >>> from bnjax.ops import batch_moments, debiased_ema, init_running
    >>> from bnjax.ops import update_running
    >>> batch = batch_moments(jnp.array([[1.0], [5.0]]))
    >>> new = update_running(init_running(1), batch, debiased_ema(0.5))
    >>> new.mean, new.var, new.weight
    (Array([3.], dtype=float32), Array([4.], dtype=float32),
     Array([0.5], dtype=float32))
  """
  rule = as_rule(rule)
  _arguments.switch("skip_nonfinite", skip_nonfinite)
  _check_shapes(running, moments)
  decay = rule.decay
  if decay is None or isinstance(decay, (int, float)):
    return _updated(running, moments, None, rule, skip_nonfinite)
  unset = dataclasses.replace(rule, decay=None)
  return _updated(running, moments, decay, unset, skip_nonfinite)


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
    Moments with a count of 0 per feature, so that masks may differ between
    features. Each is an array of its own, so that they may be donated.

  Example:
    >>> import jax
    >>> import jax.numpy as jnp
    >>> from bnjax.ops import batch_moments, empty_moments, merge_moments
    >>> def step(total, microbatch):  # ... and gradients
    ...   return merge_moments(total, batch_moments(microbatch)), None
    >>> x = jnp.arange(8.0).reshape(4, 2, 1)  # Four microbatches of two.
    >>> jax.lax.scan(step, empty_moments(1), x)[0].var
    Array([5.25], dtype=float32)
  """
  return Moments(*(jnp.zeros(shape, dtype) for _ in range(3)))


# Jitted, so that the layers of a network that are of one shape are traced once.
# A decay that is a Python number is known then, and 1 - decay exact.
@partial(jax.jit, static_argnums=(3, 4))
def _updated(
  running: Running,
  moments: Moments,
  decay: Array | None,
  rule: Rule,
  skip_nonfinite: bool,
) -> Running:
  if decay is not None:
    rule = dataclasses.replace(rule, decay=decay)
  moments = Moments(*(alike(value, running.mean) for value in moments))
  dtype = widest(running.mean.dtype, moments.mean.dtype)
  batch = Moments(*(value.astype(dtype) for value in moments))
  old = Running(*(value.astype(dtype) for value in running))
  counts = batch.count > 0
  if skip_nonfinite:
    finite = jnp.isfinite(batch.mean) & jnp.isfinite(batch.m2)
    counts &= finite.all()
  mean, rest, gain, apart = _new_mean(running, old, batch, rule)
  weight, _ = _weighed(old.weight, batch, rule)
  if rule.by_count:
    var, varies = _pooled(old, batch, rule, weight, jnp.square(apart) * gain)
    var_weight = weight
  else:
    var, var_weight, varies = _averaged(old, batch, rule)
  varies &= counts
  new = Running(mean, var, weight, var_weight, rest)
  chosen = Running(counts, varies, counts, varies, counts)
  return Running(
    *(
      jnp.where(choice, after.astype(before.dtype), before)
      for choice, after, before in zip(chosen, new, running, strict=True)
    )
  )


def _new_mean(
  running: Running, old: Running, batch: Moments, rule: Rule
) -> tuple[Array, Array, Array, Array]:
  """Returns the mean, its rest, the batch's gain and its distance."""
  weight, gain = _weighed(old.weight, batch, rule)
  # Of a mean that was put there by hand, the rest is that of another one.
  eps = float(jnp.finfo(running.mean.dtype).eps)
  near = jnp.abs(old.rest) <= eps * jnp.abs(old.mean)
  rest = jnp.where(near, old.rest, 0)
  apart = (batch.mean - old.mean) - rest
  moved = rest + gain * apart
  begins = (old.weight == 0) & (weight > 0) & (not _plain(rule))
  # The first batch replaces the initial values: exactly, not by a difference.
  mean = jnp.where(begins, batch.mean, old.mean + moved)
  # Settled, so that the rest is that of the very number that is kept.
  mean = lax.optimization_barrier(mean.astype(running.mean.dtype))
  settled = mean.astype(moved.dtype)
  rest = (old.mean - settled) + moved
  rest = jnp.where(begins, batch.mean - settled, rest)
  return mean, jnp.where(jnp.isfinite(rest), rest, 0), jnp.asarray(gain), apart


def _averaged(
  old: Running, batch: Moments, rule: Rule
) -> tuple[Array, Array, Array]:
  """Returns the variance, its weight, and whether the batch has one."""
  less = 1 if rule.unbiased else 0
  varies = batch.count > 1
  if not rule.unbiased:  # Fractions, from weights, vary below 1 too.
    varies |= batch.m2 > 0
  divisor = batch.count - less
  batch_var = batch.m2 / jnp.where(divisor > 0, divisor, 1)
  weight, gain = _weighed(old.var_weight, batch, rule)
  var = old.var + gain * (batch_var - old.var)
  begins = (old.var_weight == 0) & (weight > 0) & (not _plain(rule))
  return jnp.where(begins, batch_var, var), weight, varies


def _pooled(
  old: Running, batch: Moments, rule: Rule, weight: Array, between: Array
) -> tuple[Array, Array]:
  """Returns the variance of all numbers so far, and whether there is one."""
  less = 1 if rule.unbiased else 0
  varies = weight > 1
  if not rule.unbiased:
    varies |= (batch.m2 > 0) | (old.var_weight > 0)
  m2 = batch.m2 + jnp.where(old.weight > 0, between * old.weight, 0)
  within = old.var * jnp.maximum(old.var_weight - less, 0)
  m2 = m2 + jnp.where(old.var_weight > 0, within, 0)
  return m2 / jnp.where(varies, weight - less, 1), varies


def _weighed(
  weight: Array, batch: Moments, rule: Rule
) -> tuple[Array, Array | float]:
  """Returns the weight with the batch, and the batch's gain in it."""
  dtype = weight.dtype
  share = 1 if rule.decay is None else 1 - _as(rule.decay, dtype)
  kept = 1 if rule.decay is None else _as(rule.decay, dtype)
  if rule.by_count:
    share = batch.count
  new = kept * weight + share
  gain = share if _plain(rule) else share / jnp.where(new > 0, new, 1)
  return new, gain


def _plain(rule: Rule) -> bool:
  """Whether the initial values stay in the average."""
  return rule.decay is not None and not rule.debias


def _as(
  decay: float | Float[Array, ""], dtype: DTypeLike
) -> float | Float[Array, ""]:
  """Returns a Python number as it is, an array in the statistics' dtype."""
  return decay if isinstance(decay, (int, float)) else decay.astype(dtype)


def _check_shapes(running: Running, moments: Moments) -> None:
  shape, weights = running.mean.shape, running.weight.shape
  if running.var.shape != shape or moments.mean.shape != shape:
    raise ValueError(
      f"Running mean {shape} and var {running.var.shape} must have the shape "
      f"of the batch's moments {moments.mean.shape}."
    )
  if running.rest.shape != shape or running.var_weight.shape != weights:
    raise ValueError(
      f"Running rest {running.rest.shape} must have the mean's shape {shape}, "
      f"and var_weight {running.var_weight.shape} the weight's {weights}."
    )
  if moments.count.shape not in ((), weights):
    raise ValueError(
      f"Counts differ between features, {moments.count.shape}, so the running "
      f"weight must have their shape, not {weights}."
    )


__all__ = ["empty_moments", "update_running"]
