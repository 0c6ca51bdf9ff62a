"""The moments of every batch norm's input, collected from a Flax model."""

from collections.abc import Mapping
from functools import partial
from typing import Any

import flax
import flax.linen as nn
import jax
import jax.numpy as jnp
from flax.traverse_util import flatten_dict, unflatten_dict
from jax import lax

from bnjax.linen import BatchNorm, GhostBatchNorm
from bnjax.ops import Moments, merge_moments
from bnjax.ops._dtypes import widest
from bnjax.tools import _modules
from bnjax.tools._batches import Call
from bnjax.tools._modules import Path

COUNT = "recalibration_count"


def seeded(variables: Any) -> Any:
  """The variables with a count of zero beside every mean and variance."""
  if not variables.get("batch_stats"):
    raise ValueError("These variables have no batch_stats to recalibrate.")
  plain = flax.core.unfreeze(variables)
  return {**plain, "batch_stats": _seed(plain["batch_stats"])}


def collect(
  model: nn.Module,
  call: Call,
  axis_name: Any,
  rngs: Any,
  variables: Any,
  batch: Any,
) -> Any:
  """The moments of every norm's input in one batch, by path."""
  # Whatever else the model writes: its cache, its losses.
  run = nn.apply(call, model, mutable=flax.core.DenyList("params"))
  interceptor = partial(_collecting, axis_name, set())
  with _modules.intercepted(interceptor, object()):
    _, state = run(variables, batch, rngs=rngs)
  return _moments(state["batch_stats"])


def replaced(variables: Any, population: Mapping[Path, Moments]) -> Any:
  """The variables with the population's statistics."""
  plain = flax.core.unfreeze(variables)
  result = {**plain, "batch_stats": _replace(plain["batch_stats"], population)}
  frozen = isinstance(variables, flax.core.FrozenDict)
  return flax.core.freeze(result) if frozen else result


def _collecting(
  axis_name: Any,
  reached: set[Path],
  call: Any,
  args: tuple[Any, ...],
  kwargs: dict[str, Any],
  context: nn.module.InterceptorContext,
) -> Any:
  """Makes a norm normalize by its batch, and leave the batch's moments.

  They travel through the norm's own variables, mean, var and a count beside
  them, the one way out of `nn.scan` and other lifted transformations.
  """
  norm: Any = context.module
  if _modules.is_other_norm_call(context):
    y = call(*args, **kwargs)
    if norm.path not in reached:
      raise _modules.unseen(type(norm).__name__, norm.path)
    return y
  if not _modules.is_norm_call(context):
    return call(*args, **kwargs)
  reached.add(norm.path)
  called = _modules.norm_call(norm, args, kwargs)
  moments = _modules.moments_of(norm, called, axis_name)
  before = _read(norm.variables["batch_stats"])
  _put(norm, moments)
  if isinstance(norm, BatchNorm):  # Ghost groups, as in training.
    plain = norm.groups is None and not isinstance(norm, GhostBatchNorm)
    source = "running" if plain else "batch"
    kwargs = {**kwargs, "normalize_with": source, "update_running": False}
  elif norm.use_running_average is None:
    kwargs = {**kwargs, "use_running_average": True}
    args = args[:1]
  y = call(*args, **kwargs)
  # A norm that is called twice has two batches, each normalized by itself.
  # Without tangents, what it keeps may leave a `jax.grad` around it.
  _put(norm, lax.stop_gradient(merge_moments(before, moments)))
  return y


def _put(norm: nn.Module, moments: Moments) -> None:
  stats = norm.variables["batch_stats"]
  values = {"mean": moments.mean, "var": moments.var, COUNT: moments.count}
  for name, value in values.items():
    old = stats[name]
    value = jnp.broadcast_to(value, old.shape).astype(old.dtype)
    norm.put_variable("batch_stats", name, value)


def _read(stats: Mapping[str, jax.Array]) -> Moments:
  """The moments so far; none, where what stands there is from before."""
  count = stats[COUNT]
  some, zero = count > 0, jnp.zeros_like(count)
  mean, var = (jnp.where(some, stats[name], zero) for name in ("mean", "var"))
  return Moments(count, mean, var * count)


def _norms(flat: Mapping[Path, Any]) -> list[Path]:
  """Returns the paths of what has a mean and a variance."""
  arrays = {path for path, value in flat.items() if hasattr(value, "dtype")}
  parents = {path[:-1] for path in arrays}
  return sorted(p for p in parents if {(*p, "mean"), (*p, "var")} <= arrays)


def _seed(stats: Any) -> Any:
  """Puts a count of zero beside every mean and variance, all float32."""
  flat = flatten_dict(stats, keep_empty_nodes=True)
  for path in _norms(flat):
    for name in ("mean", "var"):
      value = flat[*path, name]
      flat[*path, name] = value.astype(widest(value.dtype))
    flat[*path, COUNT] = jnp.zeros_like(flat[*path, "mean"])
  return unflatten_dict(flat)


def _moments(stats: Any) -> dict[Path, Moments]:
  """Returns the moments that each norm left, by path."""
  return {
    path: _read(_modules.get(stats, path))
    for path in _norms(flatten_dict(stats))
  }


def _replace(stats: Any, population: Mapping[Path, Moments]) -> Any:
  """Returns the tree with the population's statistics where there are any."""
  flat = flatten_dict(stats, keep_empty_nodes=True)
  for path, moments in population.items():
    for name, new in (("mean", moments.mean), ("var", moments.var)):
      old = flat[*path, name]
      kept = jnp.where(moments.count > 0, new, old.astype(new.dtype))
      flat[*path, name] = kept.astype(old.dtype)
    if (*path, "rest") in flat:  # Of the old mean.
      old = flat[*path, "rest"]
      flat[*path, "rest"] = jnp.where(moments.count > 0, 0, old)
  return unflatten_dict(flat)
