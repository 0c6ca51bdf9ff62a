"""Batch normalization in training mode by every library that is installed.

Each candidate is a function `(x, scale, bias) -> y` that also computes what
its library would put into the running statistics: `(y, mean, var)`.
"""

import importlib.util
import warnings
from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
from flax import nnx

from bnjax.linen import BatchNorm
from bnjax.ops import batch_norm

Candidate = Callable[[jax.Array, jax.Array, jax.Array], Any]


def jax_candidates(features: int, dtype: Any) -> dict[str, Candidate]:
  """Name -> candidate; the first is ours, the second Flax's default.

  Args:
    features: size of the last axis.
    dtype: of x and so of y.
  """
  linen = lambda cls, **kw: _linen(
    cls(use_running_average=False, dtype=dtype, **kw)
  )
  found: dict[str, Candidate] = {
    "bnjax": lambda x, s, b: batch_norm(x, s, b),
    "flax linen": linen(nn.BatchNorm),
    "flax linen, two-pass": linen(nn.BatchNorm, use_fast_variance=False),
    "bnjax.linen": linen(BatchNorm),
    "flax nnx": _nnx(features, dtype),
  }
  if importlib.util.find_spec("haiku"):
    found["haiku"] = _haiku()
  if importlib.util.find_spec("equinox"):
    found["equinox"] = _equinox(features)
  return found


def _linen(module: nn.Module) -> Candidate:
  def run(x: jax.Array, scale: jax.Array, bias: jax.Array) -> Any:
    stats = jax.eval_shape(module.init, jax.random.key(0), x)["batch_stats"]
    stats = jax.tree.map(lambda s: jax.numpy.zeros(s.shape, s.dtype), stats)
    params = {"scale": scale, "bias": bias}
    return module.apply(
      {"params": params, "batch_stats": stats}, x, mutable=["batch_stats"]
    )

  return run


def _nnx(features: int, dtype: Any) -> Candidate:
  def run(x: jax.Array, scale: jax.Array, bias: jax.Array) -> Any:
    module = nnx.BatchNorm(features, dtype=dtype, rngs=nnx.Rngs(0))
    module.scale, module.bias = nnx.Param(scale), nnx.Param(bias)
    y = module(x)
    return y, (module.mean[...], module.var[...])

  return run


def _haiku() -> Candidate:
  import haiku as hk

  norm = hk.transform_with_state(
    lambda x, s, b: hk.BatchNorm(False, False, 0.99)(x, True, scale=s, offset=b)
  )

  def run(x: jax.Array, scale: jax.Array, bias: jax.Array) -> Any:
    scale, bias = scale.astype(x.dtype), bias.astype(x.dtype)
    _, state = norm.init(None, x, scale, bias)
    return norm.apply({}, state, None, x, scale, bias)

  return run


def _equinox(features: int) -> Candidate:
  import equinox as eqx

  with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    norm, state = eqx.nn.make_with_state(eqx.nn.BatchNorm)(
      features, axis_name="batch", mode="batch", inference=False
    )

  def run(x: jax.Array, scale: jax.Array, bias: jax.Array) -> Any:
    affine = scale.astype(x.dtype), bias.astype(x.dtype)
    ours = eqx.tree_at(lambda n: (n.weight, n.bias), norm, affine)
    channels_first = jax.numpy.moveaxis(x, -1, 1)
    y, new = jax.vmap(
      ours, axis_name="batch", in_axes=(0, None), out_axes=(0, None)
    )(channels_first, state)
    return jax.numpy.moveaxis(y, 1, -1).astype(x.dtype), new

  return run
