"""Estimate an NNX model's running statistics anew, its parameters frozen."""

from collections.abc import Iterable
from functools import cache, partial
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx
from jax import lax

from bnjax.nnx import BatchNorm
from bnjax.nnx.tools import _modules
from bnjax.ops import (
  Moments,
  merge_moments,
  population_moments,
  population_moments_stacked,
)
from bnjax.ops._dtypes import widest
from bnjax.ops.population import Estimator
from bnjax.tools import _batches
from bnjax.tools._batches import Call
from bnjax.tools._modules import moments_of, norm_call, unseen


def recalibrate(
  model: nnx.Module,
  batches: Iterable[Any],
  *,
  call: Call = _batches.call_model,
  estimator: Estimator = "pooled",
  axis_name: str | tuple[str, ...] | None = None,
) -> None:
  """Sets every batch norm's statistics to those of the batches, in place.

  As `bnjax.tools.recalibrate`: every norm normalizes by the batch, and
  its statistics are averaged over all batches, exactly and weighted by count.
  Works with `flax.nnx.BatchNorm`, `bnjax.nnx.BatchNorm` and subclasses that
  call their `__call__`, also inside `nnx.scan`, `nnx.vmap`, `nnx.remat` and
  `nnx.jit`. It runs a copy of the model in inference mode, so dropout is off
  and nothing but `mean` and `var` changes, not the modes, not the `Rngs`.

  Args:
    model: an NNX module.
    batches: trees of arrays, whatever `call` takes; read once.
    call: (model, batch) -> anything, by default `model(batch)`; pass a mask
      on, for masked values do not count.
    estimator: "pooled" (PreciseBN) or "paper", see `population_moments`.
    axis_name: named axes whose members share every batch.

  Raises:
    TypeError: `batches` are not several minibatches, or the model does not
      take one.
    ValueError: no batches, one value per feature, no batch norm, one whose
      input cannot be seen, or an unknown estimator.

  Reference:
    Ioffe and Szegedy (2015), arXiv:1502.03167, Algorithm 2; Wu and Johnson
    (2021), arXiv:2105.07576; Izmailov et al. (2018), arXiv:1803.05407.

  Example:
    >>> import jax.numpy as jnp
    >>> from flax import nnx
    >>> model = nnx.BatchNorm(1, rngs=nnx.Rngs(0))
    >>> x = jnp.arange(10.0)[:, None]
    >>> recalibrate(model, [x[:8], x[8:]])
    >>> model.mean[...], model.var[...]
    (Array([4.5], dtype=float32), Array([8.25], dtype=float32))
  """
  graph, state = nnx.split(_collecting(model, axis_name))
  collect = partial(jax.jit(partial(_collect, graph, call)), state)
  population = population_moments(
    _batches.explained(collect, call),
    _batches.each(batches),
    estimator=estimator,
  )
  _replace(model, population)


def recalibrate_stacked(
  model: nnx.Module,
  batches: Any,
  *,
  call: Call = _batches.call_model,
  estimator: Estimator = "pooled",
  axis_name: str | tuple[str, ...] | None = None,
) -> None:
  """Like `recalibrate`, for batches stacked on a leading axis.

  One `lax.scan`: for use inside `nnx.jit`.

  Args:
    model: an NNX module.
    batches: tree of arrays, whose leading axis counts the batches.
    call: as for `recalibrate`.
    estimator: likewise.
    axis_name: likewise.

  Raises:
    ValueError: as for `recalibrate`.

  Example:
    >>> import jax.numpy as jnp
    >>> from flax import nnx
    >>> model = nnx.BatchNorm(1, rngs=nnx.Rngs(0))
    >>> recalibrate_stacked(model, jnp.arange(8.0).reshape(2, 4, 1))
    >>> model.mean[...]
    Array([3.5], dtype=float32)
  """
  graph, state = nnx.split(_collecting(model, axis_name))
  population = population_moments_stacked(
    _batches.explained(partial(_collect, graph, call, state), call),
    batches,
    estimator=estimator,
  )
  _replace(model, population)


def _collecting(model: nnx.Module, axis_name: Any) -> nnx.Module:
  """Returns a copy whose norms normalize by the batch and keep its moments."""
  model = _modules.in_inference(model)
  norms = _modules.norms(model)
  if not norms:
    raise ValueError("This model has no batch norm to recalibrate.")
  for path, norm in norms:
    norm.recalibration = (path, axis_name)
    for variable in (norm.mean, norm.var):
      value = variable.get_value()
      variable.set_value(value.astype(widest(value.dtype)))
    zeros = jnp.zeros_like(norm.mean.get_value())
    norm.recalibration_count = nnx.BatchStat(zeros)
    _modules.take_place(norm, _modules.base_of(norm), _collector, _checked)
  return model


@cache
def _collector(base: Any) -> Any:
  """Returns a norm that normalizes by its batch and leaves the moments.

  They travel through its own variables, as what it keeps in training does:
  the one way out of `nnx.scan` and other transformations.
  """

  class Collector(base):
    def __call__(self, *args: Any, **kwargs: Any) -> jax.Array:
      called = norm_call(self, args, kwargs)
      moments = moments_of(self, called, self.recalibration[1])
      before = _read(self)
      _put(self, moments)
      if base is BatchNorm:  # Ghost groups, as in training.
        source = "running" if self.groups is None else "batch"
        kwargs = {**kwargs, "normalize_with": source, "update_running": False}
        y = super().__call__(*args, **kwargs)
      else:
        y = super().__call__(called.x, use_running_average=True)
      _put(self, lax.stop_gradient(merge_moments(before, moments)))
      return y

  return Collector


def _checked(self: Any, *args: Any, **kwargs: Any) -> Any:
  """Calls a subclass, and sees that it calls the norm that it is of."""
  before = self.recalibration_count.get_value()
  y = super(type(self), self).__call__(*args, **kwargs)
  if self.recalibration_count.get_value() is before:
    raise unseen(type(self).__name__, self.recalibration[0])
  return y


def _collect(graph: Any, call: Call, state: Any, batch: Any) -> list[Moments]:
  """The moments of every norm's input in one batch, in the model's order."""
  model = nnx.merge(graph, nnx.as_pure(state))  # Variables of this trace.
  call(model, batch)
  return [_read(norm) for _, norm in _modules.norms(model)]


def _read(norm: Any) -> Moments:
  """The moments so far; none, where what stands there is from before."""
  count = norm.recalibration_count[...]
  some, zero = count > 0, jnp.zeros_like(count)
  mean = jnp.where(some, norm.mean[...], zero)
  return Moments(count, mean, jnp.where(some, norm.var[...], zero) * count)


def _put(norm: Any, moments: Moments) -> None:
  values = (moments.mean, moments.var, moments.count)
  variables = (norm.mean, norm.var, norm.recalibration_count)
  for variable, value in zip(variables, values, strict=True):
    old = variable.get_value()
    variable[...] = jnp.broadcast_to(value, old.shape).astype(old.dtype)


def _replace(model: nnx.Module, population: list[Moments]) -> None:
  """Sets the population's statistics where there are any."""
  pairs = zip(_modules.norms(model), population, strict=True)
  for (_, norm), moments in pairs:
    for variable, new in ((norm.mean, moments.mean), (norm.var, moments.var)):
      old = variable.get_value()
      kept = jnp.where(moments.count > 0, new, old.astype(new.dtype))
      variable[...] = kept.astype(old.dtype)
    if hasattr(norm, "rest"):  # Of the old mean.
      old = norm.rest.get_value()
      norm.rest[...] = jnp.where(moments.count > 0, 0, old)
