"""Batch norm with its running statistics: three switches, no side effects."""

from collections.abc import Sequence
from typing import Literal

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float, Int

from bnjax.ops import _arguments
from bnjax.ops.batch_norm import batch_norm
from bnjax.ops.moments import batch_moments
from bnjax.ops.normalize import normalize
from bnjax.ops.rules import Preset, Rule, as_rule
from bnjax.ops.running import update_running
from bnjax.ops.state import Running


def apply_batch_norm(
  x: Float[Array, "..."],
  scale: Float[Array, "..."] | None,
  bias: Float[Array, "..."] | None,
  running: Running,
  *,
  rule: Rule | Preset | str,
  normalize_with: Literal["batch", "running"] = "batch",
  update: bool = True,
  train_affine: bool = True,
  feature_axes: int | Sequence[int] = -1,
  epsilon: float | Float[Array, ""] = 1e-5,
  mask: Bool[Array, "..."] | None = None,
  weights: Float[Array, "..."] | Int[Array, "..."] | None = None,
  axis_name: str | tuple[str, ...] | None = None,
  axis_index_groups: Sequence[Sequence[int]] | None = None,
  activation: Literal["relu"] | None = None,
  skip_nonfinite: bool = False,
) -> tuple[Float[Array, "..."], Running]:
  """Normalizes x and returns the running statistics it leaves behind.

  What other libraries tie to one `train` flag are three switches:

  | use                                | normalize_with | update | affine |
  |------------------------------------|----------------|--------|--------|
  | training                           | batch          | True   | True   |
  | inference                          | running        | False  | any    |
  | SAM's second pass, remat, probes   | batch          | False  | True   |
  | frozen batch norm                  | running        | False  | False  |
  | adapting statistics to a new domain| either         | True   | False  |

  Args:
    x: real floating array.
    scale: gamma, or None.
    bias: beta, or None.
    running: the statistics so far.
    rule: how they follow the batches, see `bnjax.ops.rules`. Of a preset, or
      its name, the rule alone is taken: epsilon is an argument of its own.
    normalize_with: "batch", the statistics of x; or "running", as they were
      before this batch.
    update: whether the batch updates the running statistics.
    train_affine: whether gradients reach scale and bias.
    feature_axes: the axes that keep statistics of their own.
    epsilon: added to the variance.
    mask: True where x counts in the batch's statistics; broadcasts to x.
      Masked cells of y are 0 when normalized with the batch.
    weights: how often x counts in them, see `batch_norm`.
    axis_name: named axes whose members are one batch.
    axis_index_groups: lists of indices along axis_name that pool together.
    activation: "relu" applies max(y, 0).
    skip_nonfinite: leave a batch out of the running statistics if any of its
      means or variances is infinite or NaN.

  Returns:
    y with x's shape and dtype, and Running, into which no gradient flows from
    the batch.

  Raises:
    TypeError: x is complex or not floating; mask is not boolean; rule is none.
    ValueError: axes or shapes that do not fit, an unknown switch, or a batch
      of one value per feature normalized with itself.

  Reference:
    Ioffe and Szegedy (2015), arXiv:1502.03167, Algorithms 1 and 2.

  Example:
    >>> import jax.numpy as jnp
    >>> from bnjax.ops import PRESETS, apply_batch_norm, init_running
    >>> x = jnp.array([[1.0], [5.0]])
    >>> rule, epsilon = PRESETS["pytorch"]
    >>> y, running = apply_batch_norm(
    ...   x, None, None, init_running(1), rule=rule, epsilon=epsilon
    ... )
    >>> running.mean, running.var
    (Array([0.3], dtype=float32), Array([1.7], dtype=float32))
  """
  _arguments.choice("normalize_with", normalize_with, ("batch", "running"))
  _arguments.choice("activation", activation, (None, "relu"))
  _arguments.switch("update", update)
  _arguments.switch("train_affine", train_affine)
  _arguments.switch("skip_nonfinite", skip_nonfinite)
  rule = as_rule(rule)
  if not train_affine:
    scale = None if scale is None else lax.stop_gradient(scale)
    bias = None if bias is None else lax.stop_gradient(bias)
  if normalize_with == "batch":
    y, moments = batch_norm(
      x,
      scale,
      bias,
      feature_axes=feature_axes,
      epsilon=epsilon,
      mask=mask,
      weights=weights,
      axis_name=axis_name,
      axis_index_groups=axis_index_groups,
      activation=activation,
    )
  else:
    y = normalize(
      x,
      running.mean,
      running.var,
      scale,
      bias,
      feature_axes=feature_axes,
      epsilon=epsilon,
    )
    if activation == "relu":
      y = jnp.maximum(y, 0)
    if update:
      moments = batch_moments(
        x,
        feature_axes=feature_axes,
        mask=mask,
        weights=weights,
        axis_name=axis_name,
        axis_index_groups=axis_index_groups,
      )
  if update:
    running = update_running(
      running,
      lax.stop_gradient(moments),
      rule,
      skip_nonfinite=skip_nonfinite,
    )
  return y, running


__all__ = ["apply_batch_norm"]
