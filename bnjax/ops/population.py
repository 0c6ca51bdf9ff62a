"""Population statistics: Algorithm 2's averages over many minibatches."""

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from bnjax.ops import _arguments, _devices
from bnjax.ops._statistics import Statistics
from bnjax.ops.moments import Moments, from_statistics

Estimator = Literal["pooled", "paper"]


def population_moments(
  collect: Callable[[Any], Any],
  batches: Iterable[Any],
  *,
  estimator: Estimator = "pooled",
  axis_name: str | tuple[str, ...] | None = None,
) -> Any:
  """Returns the statistics of a population from its minibatches.

  "pooled", the moments of all numbers together (law of total variance):
    n = sum(n_B),  mean = sum(n_B mean_B) / n,
    m2 = sum(m2_B + n_B (mean_B - mean)^2)

  "paper", Algorithm 2, line 10, every minibatch alike:
    n = number of minibatches,  mean = E_B[mean_B],
    m2 / n = var = E_B[m_B / (m_B - 1) var_B]
  of those in which something counts, and for the variance two values or more.

  For independent minibatches both variances agree in expectation but for the
  variance of the mean. The paper's leaves out what differs between minibatches
  that are not alike, for instance one class or one domain each; PreciseBN's
  pooled one does not, and takes partial minibatches for what they are.

  Args:
    collect: minibatch -> tree of Moments, for instance of the input of every
      norm in a network whose parameters stay as they are. Best jitted.
    batches: minibatches, such as a generator; read once, one held at a time.
      Those that `collect` is jitted for should have equal shapes: pad the
      last and mask it.
    estimator: "pooled" or "paper".
    axis_name: named axes whose members each saw a part of the minibatches, to
      merge once at the end. Not needed if `collect` pools every minibatch.

  Returns:
    A tree of Moments like collect's. Their `var` is the estimate, also for
    the paper's, where `count` is the number of minibatches, or at most 1 where
    none of them has a variance. Exact at any ratio of mean to deviation that
    the minibatches' moments can represent.

  Raises:
    ValueError: no batches, or an unknown estimator.

  Reference:
    Ioffe and Szegedy (2015), arXiv:1502.03167, Algorithm 2, lines 8 to 10.
    Wu and Johnson (2021), arXiv:2105.07576, section 3.

  Example:
    >>> import jax.numpy as jnp
    >>> from bnjax.ops import batch_moments, population_moments
    >>> batches = [jnp.array([[1.0], [3.0]]), jnp.array([[8.0]])]
    >>> population_moments(batch_moments, batches).mean
    Array([4.], dtype=float32)
    >>> population_moments(batch_moments, batches, estimator="paper").mean
    Array([5.], dtype=float32)
  """
  _arguments.choice("estimator", estimator, ("pooled", "paper"))
  total = None
  for batch in batches:
    part = collect(batch)
    total = _add_tree(_zeros(part) if total is None else total, part, estimator)
  if total is None:
    raise ValueError("There are no batches to take statistics of.")
  return _finish(total, estimator, axis_name)


def population_moments_stacked(
  collect: Callable[[Any], Any],
  batches: Any,
  *,
  estimator: Estimator = "pooled",
  axis_name: str | tuple[str, ...] | None = None,
) -> Any:
  """Like `population_moments`, for minibatches stacked on a leading axis.

  One `lax.scan`: for use inside `jit`, `vmap` and `shard_map`.

  Args:
    collect: minibatch -> tree of Moments.
    batches: tree of arrays, whose leading axis counts the minibatches.
    estimator: "pooled" or "paper".
    axis_name: named axes whose members each hold a part of the minibatches.

  Returns:
    A tree of Moments like collect's.

  Raises:
    ValueError: no batches, or an unknown estimator.

  Example:
    >>> import jax
    >>> import jax.numpy as jnp
    >>> from bnjax.ops import batch_moments, population_moments_stacked
    >>> x = jnp.arange(8.0).reshape(4, 2, 1)
    >>> jax.jit(population_moments_stacked, static_argnums=0)(
    ...   batch_moments, x
    ... ).var
    Array([5.25], dtype=float32)
  """
  _arguments.choice("estimator", estimator, ("pooled", "paper"))
  sizes = {jnp.shape(leaf)[0] for leaf in jax.tree.leaves(batches)}
  if len(sizes) != 1 or sizes == {0}:
    raise ValueError(f"Need one number of stacked batches, got {sizes or 0}.")
  first = jax.tree.map(lambda leaf: leaf[0], batches)
  total, _ = lax.scan(
    lambda total, batch: (_add_tree(total, collect(batch), estimator), None),
    _zeros_for(collect, first),
    batches,
  )
  return _finish(total, estimator, axis_name)


class _Total(NamedTuple):
  """What was added up: moments, and how many terms the paper's m2 has."""

  stats: Statistics
  terms: jax.Array


@partial(jax.jit, static_argnames="estimator")
def _add_tree(total: Any, part: Any, estimator: Estimator) -> Any:
  add = partial(_add, estimator=estimator)
  return jax.tree.map(add, total, part, is_leaf=_is_total)


def _add(total: _Total, part: Moments, estimator: Estimator) -> _Total:
  """Adds a minibatch; the mean stays shift + rest, so that nothing is lost.

  Were the mean one float32 number near 1e4, a minibatch would move it by less
  than its last place after some tens of them, and then not at all.
  """
  old, terms = total
  if estimator == "paper":
    varies = part.count > 1
    m2 = jnp.where(varies, part.unbiased_var, 0)
    terms = terms + varies
    part = Moments((part.count > 0).astype(part.mean.dtype), part.mean, m2)
  begins = old.count == 0
  shift = jnp.where(begins, part.mean, old.shift)
  count = old.count + part.count
  share = part.count / jnp.where(count > 0, count, 1)
  apart = (part.mean - shift) - old.rest
  rest = old.rest + apart * share
  m2 = old.m2 + part.m2
  if estimator == "pooled":
    m2 = m2 + jnp.square(apart) * (old.count * share)
  return _Total(Statistics(count, shift, rest, m2), terms)


def _finish(
  total: Any, estimator: Estimator, axis_name: str | tuple[str, ...] | None
) -> Any:
  """Returns Moments, merged over devices."""
  pool = _devices.make_pool(axis_name, None)

  def finish(total: _Total) -> Moments:
    moments = from_statistics(_devices.pool_statistics(pool, total.stats))
    if estimator == "pooled":
      return moments
    # No variance between the devices' means, nor of minibatches without one.
    m2, terms = _devices.pool_sums(pool, (total.stats.m2, total.terms))
    count = jnp.where(terms > 0, moments.count, jnp.minimum(moments.count, 1))
    return Moments(count, moments.mean, m2 * (count / jnp.maximum(terms, 1)))

  return jax.tree.map(finish, total, is_leaf=_is_total)


def _zeros(part: Any) -> Any:
  def zeros(moments: Moments) -> _Total:
    count, zero, _ = jax.tree.map(jnp.zeros_like, moments)
    return _Total(Statistics(count, zero, zero, zero), count)

  return jax.tree.map(zeros, part, is_leaf=lambda x: isinstance(x, Moments))


def _zeros_for(collect: Callable[[Any], Any], batch: Any) -> Any:
  """Returns zeros that vary over the manual axes that collect's result does."""
  jaxpr, shapes = jax.make_jaxpr(collect, return_shape=True)(batch)

  def zeros(aval: Any) -> jax.Array:
    zero = jnp.zeros(aval.shape, aval.dtype)
    if not aval.sharding.mesh.empty:
      zero = lax.full(aval.shape, 0, aval.dtype, sharding=aval.sharding)
    names = tuple(sorted(aval.mat.varying))
    return lax.pcast(zero, names, to="varying") if names else zero

  leaves = [zeros(aval) for aval in jaxpr.out_avals]
  return _zeros(jax.tree.unflatten(jax.tree.structure(shapes), leaves))


def _is_total(node: Any) -> bool:
  return isinstance(node, _Total)


__all__ = ["population_moments", "population_moments_stacked"]
