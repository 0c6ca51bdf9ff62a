"""Ghost batch norm for Flax NNX."""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
from flax import nnx

from bnjax.linen import _batches, _layer
from bnjax.nnx.batch_norm import BatchNorm
from bnjax.ops import Running


class GhostBatchNorm(BatchNorm):
  """Ghost batch norm: groups of consecutive examples, each a batch by itself.

  As `bnjax.linen.GhostBatchNorm`; all else is `BatchNorm`'s.

  Args:
    num_features: the number of features.
    rngs: for the initializers of `scale` and `bias`.
    groups: how many groups of all examples; divides their number.
    group_size: or how many examples each group has.
    between: whether the running variance is that of all examples (True), or
      the mean of the groups' variances, by which they were normalized.
    **arguments: of `BatchNorm`.

  Raises:
    TypeError: x is complex.
    ValueError: groups that do not fit, or both or neither of `groups` and
      `group_size`.

  Reference:
    Hoffer, Hubara and Soudry (2017), arXiv:1705.08741.

  Example:
    >>> import jax.numpy as jnp
    >>> from flax import nnx
    >>> from bnjax.nnx import GhostBatchNorm
    >>> norm = GhostBatchNorm(1, groups=2, rngs=nnx.Rngs(0))
    >>> norm(jnp.array([[1.0], [5.0], [0.0], [20.0]])).ravel().round(3)
    Array([-1.,  1., -1.,  1.], dtype=float32)
  """

  def __init__(
    self,
    num_features: int,
    *,
    rngs: nnx.Rngs,
    groups: int | None = None,
    group_size: int | None = None,
    between: bool = True,
    **arguments: Any,
  ) -> None:
    _batches.check_ghosts(groups, group_size)
    super().__init__(num_features, rngs=rngs, groups=groups, **arguments)
    self.group_size = group_size
    self.between = between

  def _by_batch(
    self, update: bool, source: _layer.Source
  ) -> Callable[..., tuple[jax.Array, Running]] | None:
    return partial(
      _batches.ghosts,
      groups=self.groups,
      group_size=self.group_size,
      between=self.between,
    )


__all__ = ["GhostBatchNorm"]
