"""Running statistics as arrays: what is kept from batch to batch."""

from collections.abc import Sequence
from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, DTypeLike, Float


class _Parts(NamedTuple):
  """The arrays of Running, which says what they are."""

  mean: Float[Array, "..."]
  var: Float[Array, "..."]
  weight: Float[Array, "..."]
  var_weight: Float[Array, "..."]
  rest: Float[Array, "..."]


class Running(_Parts):
  """Running mean and variance, read as they are under every rule.

  Attributes:
    mean: per feature.
    var: per feature.
    weight: per feature, how much the batches so far weigh in the mean:
      1 - decay^n of an EMA, whose rest are the initial values; the number of
      batches, or of values, of a cumulative average. 0 before the first.
    var_weight: likewise in the variance; less than `weight` if some batches
      had one value, which has a mean and no variance. By default as `weight`.
    rest: of the average's mean, what `mean` has no digits for; by default 0.
      Without it, near 1e4 in float32, increments below 5e-4 would be lost.

  Example:
    >>> import jax.numpy as jnp
    >>> from bnjax.ops import Running, normalize
    >>> mean, var = jnp.array([3.0]), jnp.array([4.0])
    >>> stats = Running(mean, var, weight=jnp.array([1.0]))
    >>> x = jnp.array([[1.0], [5.0]])
    >>> normalize(x, stats.mean, stats.var, epsilon=0.0)
    Array([[-1.], [ 1.]], dtype=float32)
  """

  __slots__ = ()

  def __new__(
    cls,
    mean: Float[Array, "..."],
    var: Float[Array, "..."],
    weight: Float[Array, "..."],
    var_weight: Float[Array, "..."] | None = None,
    rest: Float[Array, "..."] | None = None,
  ) -> "Running":
    """Makes one of three parts or all; of specs or axes of arrays, as well."""
    if var_weight is None:
      var_weight = weight
    if rest is None:
      rest = jnp.zeros_like(mean) if hasattr(mean, "dtype") else mean
    return super().__new__(cls, mean, var, weight, var_weight, rest)


def init_running(
  shape: int | Sequence[int],
  *,
  mean: float = 0.0,
  var: float = 1.0,
  dtype: DTypeLike = jnp.float32,
) -> Running:
  """Returns running statistics that have seen no batch.

  Args:
    shape: of the features.
    mean: what to normalize by before the first batch.
    var: likewise. With 0 and 1, normalizing does nothing, as in every library.
    dtype: of the statistics; at least float32 is advised whatever the model's.

  Returns:
    Running of that shape and dtype, with all of its parts, each an array of
    its own, so that it may be donated.

  Example:
    >>> from bnjax.ops import init_running
    >>> init_running(2).var
    Array([1., 1.], dtype=float32)
  """
  starts = (mean, var, 0.0, 0.0, 0.0)
  return Running(*(jnp.full(shape, start, dtype) for start in starts))


__all__ = ["Running", "init_running"]
