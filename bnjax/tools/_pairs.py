"""A kernel and the norm after it become one: their variables."""

from typing import Any, NamedTuple

import jax.numpy as jnp

from bnjax.ops import fold_conv
from bnjax.tools import _modules
from bnjax.tools._modules import Path
from bnjax.tools._opaque import Site


class Pair(NamedTuple):
  """A norm that was folded.

  Attributes:
    kernel: path of the linear layer.
    norm: path of the norm that follows it.
    shifts: whether the norm still adds a bias, since the layer has none.
    dtype: of the norm's result.
  """

  kernel: Path
  norm: Path
  shifts: bool
  dtype: Any


def fold_pair(
  variables: Any, kernel: Site, at: Path, norm: Site, norm_at: Path
) -> Any:
  """Returns the variables with one norm folded into the kernel before it.

  Args:
    variables: of the model.
    kernel: the layer.
    at: its path.
    norm: the norm.
    norm_at: its path.
  """
  layer = dict(_modules.get(variables["params"], at))
  affine = dict(_modules.get(variables["params"], norm_at))
  stats = dict(_modules.get(variables["batch_stats"], norm_at))
  epsilon = norm.module.epsilon
  weights, bias = fold_conv(
    layer["kernel"],
    layer.get("bias"),
    affine.get("scale"),
    affine.get("bias"),
    stats["mean"],
    stats["var"],
    epsilon,
    transpose_kernel=getattr(kernel.module, "transpose_kernel", False),
  )
  layer["kernel"] = weights.astype(layer["kernel"].dtype)
  stats["mean"] = jnp.zeros_like(stats["mean"])
  stats["var"] = jnp.full_like(stats["var"], 1 - epsilon)
  if "scale" in affine:
    affine["scale"] = jnp.ones_like(affine["scale"])
  if "bias" in affine:
    affine["bias"] = jnp.zeros_like(affine["bias"])
  if "bias" in layer:
    layer["bias"] = bias.astype(layer["bias"].dtype)
  else:  # The norm, which otherwise does nothing, adds it.
    stats["mean"] = (-bias).astype(stats["mean"].dtype)
  params = _set(variables["params"], at, layer)
  if affine:
    params = _set(params, norm_at, affine)
  batch_stats = _set(variables["batch_stats"], norm_at, stats)
  return {**variables, "params": params, "batch_stats": batch_stats}


def _set(tree: Any, path: Path, value: Any) -> Any:
  """Returns the tree with another node at a path."""
  if not path:
    return value
  first, *rest = path
  return {**tree, first: _set(tree[first], tuple(rest), value)}
