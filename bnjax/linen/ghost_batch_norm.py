"""Ghost batch norm for Flax linen."""

import dataclasses
from collections.abc import Callable
from functools import partial

import jax
from flax import linen as nn

from bnjax.linen import _batches, _layer
from bnjax.linen.batch_norm import BatchNorm
from bnjax.ops import Running


class GhostBatchNorm(BatchNorm):
  """Ghost batch norm: groups of consecutive examples, each a batch by itself.

  y = (x - mean_g) / sqrt(var_g + epsilon) * scale + bias for x in group g

  A large batch keeps the noise of small ones. Under `axis_name` the groups are
  the same whatever the number of devices, see `bnjax.ghost_batch_norm`.
  Arguments, variables and inference are `BatchNorm`'s; give `groups` or
  `group_size`.

  Attributes:
    groups: how many groups of all examples; divides their number.
    group_size: or how many examples each group has.
    between: whether the running variance is that of all examples (True), or
      the mean of the groups' variances, by which they were normalized.

  Raises:
    TypeError: x is complex.
    ValueError: groups that do not divide the examples, or neither divide the
      devices nor are a multiple of them; both or neither of `groups` and
      `group_size`; `axis_index_groups`.

  Reference:
    Hoffer, Hubara and Soudry (2017), arXiv:1705.08741.

  Example:
    >>> import jax
    >>> import jax.numpy as jnp
    >>> from bnjax.linen import GhostBatchNorm
    >>> x = jnp.array([[1.0], [5.0], [0.0], [20.0]])
    >>> norm = GhostBatchNorm(group_size=2, use_running_average=False)
    >>> variables = norm.init(jax.random.key(0), x)
    >>> y, _ = norm.apply(variables, x, mutable=["batch_stats"])
    >>> y.ravel().round(3)
    Array([-1.,  1., -1.,  1.], dtype=float32)
  """

  _: dataclasses.KW_ONLY
  group_size: int | None = None
  between: bool = True

  def __post_init__(self) -> None:
    """Checks that the groups are given in one way."""
    _batches.check_ghosts(self.groups, self.group_size)
    super().__post_init__()

  @nn.nowrap
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
