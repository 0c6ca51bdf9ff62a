"""What norms besides batch norm share: parameters, dtypes, masks, axes."""

from collections.abc import Callable, Mapping
from typing import Any

import jax
from flax import linen as nn

from bnjax.linen import _layer

Parameters = Mapping[str, jax.Array]


def affine(module: Any, x: jax.Array, axes: Any = -1) -> dict[str, jax.Array]:
  """Makes `scale` and `bias`, those that the module has, as Flax does."""
  shape = [x.shape[axis] for axis in _layer.feature_axes(x.ndim, axes)]
  made = {}
  for name in ("scale", "bias"):
    if getattr(module, f"use_{name}", False):
      init = getattr(module, f"{name}_init")
      made[name] = module.param(name, init, shape, module.param_dtype)
  return made


def normalize(
  module: Any,
  function: Callable[..., Any],
  x: jax.Array,
  parameters: Parameters,
  mask: jax.Array | None = None,
) -> Any:
  """Calls a function of `bnjax.ops` under the module's dtype policy.

  x is widened to the result's dtype before, if that is wider, and the result
  is cast after; in between, `ops` computes in float32 at the least.

  Args:
    module: it has `dtype`, and may have `axis_name` and `axis_index_groups`,
      which hold but in `init`.
    function: (x, mask=..., **parameters) -> y, or (y, anything else).
    x: real floating or integer array.
    parameters: of the function.
    mask: boolean, or integer and not 0 where a value counts.
  """
  dtype = _layer.result_dtype(module.dtype, x, *parameters.values())
  wide = x.astype(_layer._wider(x.dtype, dtype))
  options = dict(parameters)
  if not module.is_initializing():
    for name in ("axis_name", "axis_index_groups"):
      if getattr(module, name, None) is not None:
        options[name] = getattr(module, name)
  if mask is not None:
    mask = _layer.booleans(mask, "mask != 0")
  result = function(wide, mask=mask, **options)
  if isinstance(result, tuple):
    return result[0].astype(dtype), *result[1:]
  return result.astype(dtype)


def running_dtype(module: Any) -> Any:
  """The dtype of the running statistics, as in `BatchNorm`."""
  dtype = module.param_dtype
  if module.force_float32_reductions:
    return _layer.statistics_dtype(dtype)
  return dtype


def by_running(module: Any, use_running_average: bool | None) -> bool:
  """Whether to infer: asked for in one of the places, or initializing."""
  asked = nn.merge_param(
    "use_running_average", module.use_running_average, use_running_average
  )
  return asked or module.is_initializing()


def group_count(
  features: int, groups: int | None, group_size: int | None
) -> int:
  """Returns the number of groups of features.

  With neither given: as many as divide the features, are not above 32, and
  have two features or more.

  Raises:
    ValueError: both are given, or they do not divide the features.

  Example:
    >>> group_count(100, None, None)
    25
  """
  if groups is not None and group_size is not None:
    raise ValueError(
      f"Give num_groups={groups} or group_size={group_size}, and None for the "
      "other."
    )
  if group_size is not None:
    if group_size < 1 or features % group_size:
      raise ValueError(
        f"Groups of group_size={group_size} do not divide {features} features; "
        f"take {largest_divisor(features, max(group_size, 1))}."
      )
    return features // group_size
  if groups is None:
    return largest_divisor(features, min(32, max(features // 2, 1)))
  if groups < 1 or features % groups:
    raise ValueError(
      f"num_groups={groups} does not divide {features} features; take "
      f"{largest_divisor(features, max(groups, 1))}."
    )
  return groups


def largest_divisor(n: int, most: int) -> int:
  """Returns the largest divisor of n that is not above `most`.

  Example:
    >>> largest_divisor(100, 32)
    25
  """
  return next(d for d in range(min(n, most), 0, -1) if n % d == 0)
