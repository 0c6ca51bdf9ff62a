"""Relatives of batch norm as functions that a batch norm layer can call.

Each has the form of `bnjax.ops.apply_batch_norm`: (x, scale, bias, running) ->
(y, running), for `by_batch` of `bnjax.linen._layer.forward`.
"""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from bnjax.ops import (
  Moments,
  RenormLimits,
  Rule,
  Running,
  batch_renorm,
  ghost_batch_norm,
  l1_batch_norm,
  lp_batch_norm,
  merge_ghosts,
  noisy_batch_norm,
  update_running,
)

Array = jax.Array


def renorm(
  x: Array,
  scale: Array | None,
  bias: Array | None,
  running: Running,
  *,
  limits: RenormLimits,
  activation: str | None = None,
  **options: Any,
) -> tuple[Array, Running]:
  """Normalizes by `batch_renorm` within the limits."""
  _refuse_weights("BatchRenorm", options)
  y, running = batch_renorm(
    x, scale, bias, running, **limits._asdict(), **options
  )
  return _activate(y, activation), running


def l1(*args: Any, **options: Any) -> tuple[Array, Running]:
  """Normalizes by `l1_batch_norm`."""
  return _by_moments("L1BatchNorm", l1_batch_norm, *args, **options)


def lp(*args: Any, **options: Any) -> tuple[Array, Running]:
  """Normalizes by `lp_batch_norm`."""
  return _by_moments("LpBatchNorm", lp_batch_norm, *args, **options)


def noisy(*args: Any, **options: Any) -> tuple[Array, Running]:
  """Normalizes by `noisy_batch_norm`."""
  return _by_moments("NoisyBatchNorm", noisy_batch_norm, *args, **options)


def _by_moments(
  name: str,
  function: Callable[..., tuple[Array, Moments]],
  x: Array,
  scale: Array | None,
  bias: Array | None,
  running: Running,
  *,
  rule: Rule,
  update: bool,
  activation: str | None = None,
  skip_nonfinite: bool = False,
  **options: Any,
) -> tuple[Array, Running]:
  _refuse_weights(name, options)
  y, moments = function(x, scale, bias, **options)
  if update:
    running = _follow(running, moments, rule, skip_nonfinite)
  return _activate(y, activation), running


def ghosts(
  x: Array,
  scale: Array | None,
  bias: Array | None,
  running: Running,
  *,
  groups: int | None,
  group_size: int | None = None,
  between: bool = True,
  rule: Rule,
  update: bool,
  feature_axes: tuple[int, ...],
  axis_name: str | tuple[str, ...] | None = None,
  axis_index_groups: Sequence[Sequence[int]] | None = None,
  skip_nonfinite: bool = False,
  **options: Any,
) -> tuple[Array, Running]:
  """Normalizes by `ghost_batch_norm`, in groups or groups of a size."""
  if axis_index_groups is not None:
    raise ValueError(
      "groups already divide the examples of all devices of axis_name: leave "
      "out axis_index_groups."
    )
  if groups is None:
    devices = 1 if axis_name is None else lax.axis_size(axis_name)
    axis = min(a for a in range(x.ndim) if a not in feature_axes)
    examples = x.shape[axis] * devices
    if not group_size or examples % group_size:
      raise ValueError(
        f"Ghost batches of group_size={group_size} do not divide {examples} "
        "examples."
      )
    groups = examples // group_size
  y, moments = ghost_batch_norm(
    x,
    scale,
    bias,
    groups=groups,
    feature_axes=feature_axes,
    axis_name=axis_name,
    **options,
  )
  if update:
    moments = merge_ghosts(lax.stop_gradient(moments), between=between)
    running = _follow(running, moments, rule, skip_nonfinite)
  return y, running


def _refuse_weights(name: str, options: dict[str, Any]) -> None:
  if options.pop("weights", None) is not None:
    raise ValueError(f"{name} takes no weights: use mask, or BatchNorm.")


def check_ghosts(groups: int | None, group_size: int | None) -> None:
  """Raises a ValueError unless one of the two is given, and positive."""
  if (groups is None) == (group_size is None):
    raise ValueError(
      "GhostBatchNorm takes either groups, their number, or group_size, the "
      f"examples of each: got groups={groups}, group_size={group_size}."
    )
  if (groups or group_size or 0) < 1:
    raise ValueError(f"{groups=} and {group_size=} must be positive.")


def _follow(
  running: Running, moments: Moments, rule: Rule, skip_nonfinite: bool
) -> Running:
  how: Any = {"skip_nonfinite": True} if skip_nonfinite else {}
  return update_running(running, lax.stop_gradient(moments), rule, **how)


def _activate(y: Array, activation: str | None) -> Array:
  if activation is None:
    return y
  if activation != "relu":
    raise ValueError(f"activation must be 'relu' or None, got {activation!r}.")
  return jnp.maximum(y, jnp.zeros_like(y))
