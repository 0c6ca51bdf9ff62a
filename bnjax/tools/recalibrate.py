"""Estimate a Flax model's running statistics anew, its parameters frozen."""

from collections.abc import Iterable
from functools import partial
from typing import Any

import flax.linen as nn
import jax

from bnjax.ops import population_moments, population_moments_stacked
from bnjax.ops.population import Estimator
from bnjax.tools import _batches, _collect
from bnjax.tools._batches import Call


def recalibrate(
  model: nn.Module,
  variables: Any,
  batches: Iterable[Any],
  *,
  call: Call = _batches.call_model,
  estimator: Estimator = "pooled",
  axis_name: str | tuple[str, ...] | None = None,
  rngs: Any = None,
) -> Any:
  """Returns the variables with `batch_stats` estimated from the batches.

  Algorithm 2 of the batch norm paper, or PreciseBN: every batch is propagated
  once with every norm normalizing by the batch (whatever mode it is called
  in), and each norm's statistics are averaged over all batches: exactly and
  weighted by count. Works with any model made with `flax.linen.BatchNorm` or
  `bnjax.linen.BatchNorm`, also inside `nn.scan`, `nn.vmap`, `nn.remat` and
  `nn.jit`. Needed after averaging or quantizing weights (SWA, EMA), after
  short training, and for another domain.

  The same batches give the same result, bit for bit, whatever the statistics
  were before. Nothing but the result changes.

  Args:
    model: a Flax linen module.
    variables: its variables; `params` and all else stay as they are.
    batches: trees of arrays, whatever `call` takes; read once. A batch
      of another shape compiles again: the last may be smaller, or padded
      and masked.
    call: (bound model, batch) -> anything, by default `model(batch)`. Call
      the model as at inference, so that dropout is off, for instance
      `lambda model, batch: model(batch["x"], train=False)`; with a mask, pass
      it on: masked values do not count.
    estimator: "pooled" (PreciseBN), or "paper", see `population_moments`;
      the latter is also what `torch.optim.swa_utils.update_bn` computes.
    axis_name: named axes whose members share every batch (inside `shard_map`
      or `pmap`). Under `jit` of sharded arrays it is not needed.
    rngs: for models that draw random numbers even then; the same every batch.

  Returns:
    Variables of the same structure, shapes and dtypes. Statistics that no
    batch reached, or that belong to other kinds of modules, stay as they are,
    and so does the `weight` that some rules keep.

  Raises:
    ValueError: no batches, no `batch_stats`, or an unknown estimator.

  Reference:
    Ioffe and Szegedy (2015), arXiv:1502.03167, Algorithm 2; Wu and Johnson
    (2021), arXiv:2105.07576; Izmailov et al. (2018), arXiv:1803.05407.

  Example:
    >>> import jax
    >>> import jax.numpy as jnp
    >>> import flax.linen as nn
    >>> from bnjax.tools import recalibrate
    >>> model = nn.BatchNorm(use_running_average=True)
    >>> x = jnp.arange(10.0)[:, None]
    >>> variables = model.init(jax.random.key(0), x)
    >>> variables = recalibrate(model, variables, [x[:8], x[8:]])
    >>> variables["batch_stats"]
    {'mean': Array([4.5], dtype=float32), 'var': Array([8.25], dtype=float32)}
  """
  seeded = _collect.seeded(variables)
  collect = jax.jit(partial(_collect.collect, model, call, axis_name, rngs))
  population = population_moments(
    _batches.explained(partial(collect, seeded), call),
    _batches.each(batches),
    estimator=estimator,
  )
  return _collect.replaced(variables, population)


def recalibrate_stacked(
  model: nn.Module,
  variables: Any,
  batches: Any,
  *,
  call: Call = _batches.call_model,
  estimator: Estimator = "pooled",
  axis_name: str | tuple[str, ...] | None = None,
  rngs: Any = None,
) -> Any:
  """Like `recalibrate`, for batches stacked on a leading axis.

  One `lax.scan`: for use inside `jit` and `vmap`. `call` may look a batch up,
  for instance by its examples' indices.

  Args:
    model: a Flax linen module.
    variables: its variables.
    batches: tree of arrays, whose leading axis counts the batches.
    call: as for `recalibrate`.
    estimator: likewise.
    axis_name: likewise.
    rngs: likewise.

  Returns:
    Variables of the same structure, shapes and dtypes.

  Raises:
    ValueError: no batches, no `batch_stats`, or an unknown estimator.

  Example:
    >>> import jax
    >>> import jax.numpy as jnp
    >>> import flax.linen as nn
    >>> from bnjax.tools import recalibrate_stacked
    >>> model = nn.BatchNorm(use_running_average=True)
    >>> x = jnp.arange(8.0).reshape(2, 4, 1)
    >>> variables = model.init(jax.random.key(0), x[0])
    >>> recalibrate_stacked(model, variables, x)["batch_stats"]["mean"]
    Array([3.5], dtype=float32)
  """
  seeded = _collect.seeded(variables)
  collect = partial(_collect.collect, model, call, axis_name, rngs, seeded)
  population = population_moments_stacked(
    _batches.explained(collect, call),
    batches,
    estimator=estimator,
  )
  return _collect.replaced(variables, population)


__all__ = ["recalibrate", "recalibrate_stacked"]
