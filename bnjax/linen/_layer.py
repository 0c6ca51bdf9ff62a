"""What the linen and the nnx module share: from a layer's fields to ops."""

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, Literal, Protocol

import jax
import jax.numpy as jnp
from flax.linen.dtypes import canonicalize_dtype
from jax import lax

from bnjax.linen._batches import ghosts
from bnjax.linen._checks import rule_of
from bnjax.ops import (
  Preset,
  Rule,
  Running,
  _arguments,
  apply_batch_norm,
)
from bnjax.ops._axes import as_mask

Source = Literal["batch", "running"]


class Layer(Protocol):
  """The fields of either module that are read here."""

  axis: Any
  momentum: Any
  epsilon: Any
  dtype: Any
  axis_name: Any
  axis_index_groups: Any
  normalize_with: Source | None
  update_running: bool | None
  train_affine: bool
  rule: Rule | Preset | str | None
  groups: int | None
  missing_axis: Literal["error", "ignore"]
  activation: Literal["relu"] | None
  skip_nonfinite: bool


def kept(layer: Layer) -> tuple[str, ...]:
  """Returns which parts of `Running` the layer's rule needs in the next call.

  A plain average keeps what Flax does. Others need to know how much has been
  averaged so far, and pooled numbers the mean to its last digit.
  """
  rule = rule_of(layer)
  if rule.decay is not None and not rule.debias:
    return "mean", "var"
  weights = "mean", "var", "weight", "var_weight"
  return (*weights, "rest") if rule.by_count else weights


def statistics_dtype(param_dtype: Any) -> Any:
  """Returns float64 for float64 parameters, else float32."""
  return jnp.float64 if param_dtype == jnp.float64 else jnp.float32


def feature_axes(ndim: int, axis: Any) -> tuple[int, ...]:
  """Returns the feature axes in array order, as Flax does."""
  axes = axis if isinstance(axis, Iterable) else (axis,)
  return tuple(sorted({a + ndim if a < 0 else a for a in axes}))


def switches(
  layer: Layer,
  use_running_average: bool | None,
  normalize_with: Source | None,
  update: bool | None,
) -> tuple[Source, bool]:
  """Returns what to normalize with, and whether to update."""
  source = layer.normalize_with if normalize_with is None else normalize_with
  if source is None:
    source = "running" if use_running_average else "batch"
  _arguments.choice("normalize_with", source, ("batch", "running"))
  _arguments.switch("update_running", update, (None, True, False))
  update = layer.update_running if update is None else update
  if update is None:
    update = source == "batch" and not use_running_average
  return source, update


def forward(
  layer: Layer,
  x: jax.Array,
  running: Running,
  scale: jax.Array | None,
  bias: jax.Array | None,
  *,
  dtype: Any,
  source: Source,
  update: bool,
  mask: jax.Array | None,
  weights: jax.Array | None = None,
  initializing: bool = False,
  by_batch: Callable[..., tuple[jax.Array, Running]] | None = None,
) -> tuple[jax.Array, Running]:
  """Returns the layer's output and what its running statistics become.

  `by_batch` normalizes by the batch, instead of `apply_batch_norm`: one of
  `bnjax.linen._batches`.
  """
  axes = feature_axes(x.ndim, layer.axis)
  shape = tuple(x.shape[axis] for axis in axes)
  if mask is not None:
    mask = as_mask(booleans(mask), x)
  if initializing and mask is None:
    # Flax models are initialized with one example, which ops refuses. With a
    # mask it may not: there, the count is known at run time only.
    mask = jnp.ones((1,) * x.ndim, bool)
  shared = {
    "rule": rule_of(layer),
    "update": update,
    "feature_axes": axes,
    "epsilon": layer.epsilon,
    "mask": mask,
    "weights": weights,
    "skip_nonfinite": layer.skip_nonfinite,
    **({} if initializing else _pool(layer)),
  }
  normalize: Callable[..., tuple[jax.Array, Running]]
  if by_batch is not None and source == "batch" and not initializing:
    normalize = partial(by_batch, **shared)
  elif source == "running" or layer.groups is None or initializing:
    normalize = partial(apply_batch_norm, normalize_with=source, **shared)
  else:
    normalize = partial(ghosts, groups=layer.groups, **shared)
  x = x.astype(_wider(x.dtype, dtype))
  if all(v is None or v.shape == shape for v in (scale, bias)):
    y, running = normalize(x, scale, bias, running, activation=layer.activation)
    return y.astype(dtype), running
  x = x.astype(_wider(x.dtype, jnp.float32))
  y, running = normalize(x, None, None, running)
  y = _modulate(y, scale, bias, axes)
  y = jnp.maximum(y, 0) if layer.activation == "relu" else y
  if mask is not None and source == "batch":
    y = jnp.where(mask, y, jnp.zeros_like(y))
  return y.astype(dtype), running


def booleans(mask: Any, instead: str = "weights=, or mask != 0") -> jax.Array:
  """Returns the mask as booleans; floats, which could be weights, are none."""
  mask = jnp.asarray(mask)
  if jnp.issubdtype(mask.dtype, jnp.inexact):
    raise TypeError(f"mask must be boolean, got {mask.dtype}: use {instead}.")
  return mask.astype(bool)


def affine_of(
  layer: Layer,
  own: jax.Array | None,
  given: jax.Array | None,
  name: str,
) -> jax.Array | None:
  """Returns the layer's own scale or bias, or the one given in the call."""
  if given is None:
    frozen = own is not None and not layer.train_affine
    return lax.stop_gradient(own) if frozen else own
  if own is not None:
    raise ValueError(
      f"The call gave a {name} and the layer has one: say use_{name}=False."
    )
  return jnp.asarray(given)


def _modulate(
  y: jax.Array,
  scale: jax.Array | None,
  bias: jax.Array | None,
  axes: tuple[int, ...],
) -> jax.Array:
  """Returns y * scale + bias, where either may differ between examples."""
  reduced = tuple(axis for axis in range(y.ndim) if axis not in axes)

  def fit(value: jax.Array) -> jax.Array:
    shape = tuple(y.shape[axis] for axis in axes)
    if value.shape == shape:
      return lax.expand_dims(value, reduced).astype(y.dtype)
    if value.ndim == y.ndim and all(
      m in (1, n) for m, n in zip(value.shape, y.shape, strict=True)
    ):
      return value.astype(y.dtype)
    raise ValueError(
      f"scale or bias {value.shape} fits neither features {shape} nor x "
      f"{y.shape}, axis by axis."
    )

  y = y if scale is None else y * fit(scale)
  return y if bias is None else y + fit(bias)


def _pool(layer: Layer) -> dict[str, Any]:
  """Returns the axes to pool over: those of the layer that are bound."""
  names, groups = layer.axis_name, layer.axis_index_groups
  if names is None or layer.missing_axis == "error":
    return {"axis_name": names, "axis_index_groups": groups}
  names = (names,) if isinstance(names, str) else tuple(names)
  bound = tuple(name for name in names if _is_bound(name))
  return {
    "axis_name": bound or None,
    "axis_index_groups": groups if bound == names else None,
  }


def _is_bound(name: str) -> bool:
  try:
    lax.axis_size(name)
  except NameError:
    return False
  return True


def result_dtype(dtype: Any, *arrays: jax.Array | None) -> Any:
  """Returns the dtype that was asked for, or that of the arrays together.

  Mixed precision is meant here, so it holds under strict promotion, too.
  """
  with jax.numpy_dtype_promotion("standard"):
    return canonicalize_dtype(*arrays, dtype=dtype)


def _wider(a: Any, b: Any) -> Any:
  """Returns the dtype to normalize in of an array to be cast."""
  if not jnp.issubdtype(a, jnp.inexact):
    a = jnp.float32
  with jax.numpy_dtype_promotion("standard"):
    return jnp.promote_types(a, b)
