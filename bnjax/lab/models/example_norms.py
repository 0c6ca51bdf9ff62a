"""Norms of each example by itself: what `norm.name` may be besides batch norms.

They are the same in training and inference. A mask makes its cells 0.
"""

from dataclasses import dataclass
from functools import partial
from typing import Any

import jax

from bnjax import ops
from bnjax.lab.errors import UserError
from bnjax.lab.models.norm_modules import AFFINE, Stateless


@dataclass(frozen=True)
class LayerNormalization:
  """Layer normalization (https://arxiv.org/abs/1607.06450)."""

  epsilon: Any = 1e-6

  def __call__(self, x, *, train, mask=None, name=None):  # type: ignore[no-untyped-def]
    """Normalizes each example over its last axis."""
    function = partial(ops.layer_norm, epsilon=self.epsilon)
    return Stateless(function, name=name)(x, mask=mask)


@dataclass(frozen=True)
class GroupNormalization:
  """Group normalization (https://arxiv.org/abs/1803.08494).

  Attributes:
    epsilon: added to the variance.
    groups: of features. None: as many as divide the features, are not above
      the paper's 32, and hold two or more features.
  """

  epsilon: Any = 1e-6
  groups: int | None = None

  def __call__(self, x, *, train, mask=None, name=None):  # type: ignore[no-untyped-def]
    """Normalizes each example over space and groups of its last axis."""
    groups = _groups(self.groups, x.shape[-1])
    function = partial(ops.group_norm, epsilon=self.epsilon, groups=groups)
    return Stateless(function, name=name)(x, mask=mask)


@dataclass(frozen=True)
class InstanceNormalization:
  """Instance normalization (https://arxiv.org/abs/1607.08022)."""

  epsilon: Any = 1e-6

  def __call__(self, x, *, train, mask=None, name=None):  # type: ignore[no-untyped-def]
    """Normalizes each feature of each example over space."""
    if not _has_space(x):
      raise UserError(
        f"norm.name: 'instance_norm' averages over space, and {x.shape} has "
        "none; take 'layer_norm' or a convolutional model"
      )
    function = partial(ops.instance_norm, epsilon=self.epsilon)
    return Stateless(function, name=name)(x, mask=mask)


@dataclass(frozen=True)
class RMSNormalization:
  """Division by the root mean square (https://arxiv.org/abs/1910.07467)."""

  epsilon: Any = 1e-6

  def __call__(self, x, *, train, mask=None, name=None):  # type: ignore[no-untyped-def]
    """Normalizes each example over its last axis."""
    function = partial(ops.rms_norm, epsilon=self.epsilon)
    return Stateless(function, (("scale", 1.0),), name=name)(x, mask=mask)


@dataclass(frozen=True)
class FilterResponseNormalization:
  """Filter response normalization (https://arxiv.org/abs/1911.09737).

  Its thresholded linear unit is an activation: `model.activation` should be
  `identity`. Where there is no space epsilon is learned, from 1e-4, as in the
  paper, which gives `x / sqrt(x² + ε)`.

  Attributes:
    epsilon: added to the mean square.
  """

  epsilon: Any = 1e-6

  def __call__(self, x, *, train, mask=None, name=None):  # type: ignore[no-untyped-def]
    """Normalizes each feature of each example over space."""

    def function(
      x: jax.Array, *, learned_epsilon: Any = 0.0, **others: Any
    ) -> jax.Array:
      epsilon = self.epsilon + abs(learned_epsilon)
      return ops.filter_response_norm(x, epsilon=epsilon, **others)

    learned = () if _has_space(x) else (("learned_epsilon", 1e-4),)
    parameters = (*AFFINE, ("threshold", 0.0))
    return Stateless(function, parameters, learned, name=name)(x, mask=mask)


@dataclass(frozen=True)
class EvoNormS0:
  """EvoNorm-S0 (https://arxiv.org/abs/2004.02967).

  It is an activation, too: `model.activation` should be `identity`.

  Attributes:
    epsilon: added to the variance.
    groups: as for `GroupNormalization`.
  """

  epsilon: Any = 1e-5
  groups: int | None = None

  def __call__(self, x, *, train, mask=None, name=None):  # type: ignore[no-untyped-def]
    """Normalizes each example over space and groups of its last axis."""
    groups = _groups(self.groups, x.shape[-1])
    function = partial(ops.evonorm_s0, epsilon=self.epsilon, groups=groups)
    return Stateless(function, (*AFFINE, ("v", 1.0)), name=name)(x, mask=mask)


def _has_space(x: jax.Array) -> bool:
  """Whether an example has more than one position."""
  return any(n > 1 for n in x.shape[1:-1])


def _groups(groups: int | None, features: int) -> int:
  if groups is None:
    return largest_divisor(features, min(32, max(features // 2, 1)))
  if groups < 1 or features % groups:
    raise UserError(
      f"norm.groups: {groups} does not divide the {features} features; take "
      f"{largest_divisor(features, max(groups, 1))}"
    )
  return groups


def largest_divisor(n: int, most: int) -> int:
  """Returns the largest divisor of n that is not above `most`.

  Example:
    >>> largest_divisor(100, 32)
    25
  """
  return next(d for d in range(min(n, most), 0, -1) if n % d == 0)
