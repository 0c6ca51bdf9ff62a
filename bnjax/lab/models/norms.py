"""Normalizations by name: what `config.norm.name` may be.

An entry makes a Flax module from the arguments of the config's group, which are
its keywords, and from fields that the model sets, such as `name`. A model gets
a partial of it and calls `norm(name=...)(x, use_running_average, mask=mask)`. A
new norm is a line in `NORMS`, or any Flax module that is called like this.
"""

import functools
import inspect
from collections.abc import Callable
from typing import Annotated, Any, ParamSpec, TypeVar

import flax.linen as nn
import jax

from bnjax import linen, ops
from bnjax.lab.errors import UserError, choice
from bnjax.lab.registry import Count, NotNegative, Range, Share, Traced

P = ParamSpec("P")
Module = TypeVar("Module", bound=nn.Module)
Norm = Callable[..., nn.Module]
Epsilon = Traced[NotNegative]
Decay = Traced[Share]


class NoNorm(nn.Module):
  """No normalization."""

  @nn.compact
  def __call__(
    self,
    x: jax.Array,
    use_running_average: bool | None = None,
    *,
    mask: jax.Array | None = None,
  ) -> jax.Array:
    """Returns `x`."""
    return x


def _entry(function: Callable[P, Module]) -> Callable[P, Module]:
  """Hides from configs that the function takes any field of its module."""

  @functools.wraps(function)
  def entry(*args: P.args, **kwargs: P.kwargs) -> Module:
    return function(*args, **kwargs)

  own = inspect.signature(function)
  named = [p for p in own.parameters.values() if p.kind is p.KEYWORD_ONLY]
  signature = own.replace(parameters=named)
  entry.__signature__ = signature  # type: ignore[attr-defined]
  return entry


@_entry
def batch_norm(
  *, epsilon: Epsilon = 1e-5, decay: Decay = 0.99, **fields: Any
) -> linen.BatchNorm:
  """Batch normalization."""
  return linen.BatchNorm(epsilon=epsilon, momentum=decay, **fields)


@_entry
def flax_batch_norm(
  *, epsilon: Epsilon = 1e-5, decay: Decay = 0.99, **fields: Any
) -> nn.BatchNorm:
  """Flax's own batch normalization, to compare with."""
  return nn.BatchNorm(epsilon=epsilon, momentum=decay, **fields)


@_entry
def ghost_batch_norm(
  *,
  epsilon: Epsilon = 1e-5,
  decay: Decay = 0.99,
  ghost_groups: Count = 4,
  **fields: Any,
) -> linen.GhostBatchNorm:
  """Batch norm of groups of the batch; their number divides its size."""
  return linen.GhostBatchNorm(
    epsilon=epsilon, momentum=decay, groups=ghost_groups, **fields
  )


@_entry
def batch_renorm(
  *,
  epsilon: Epsilon = 1e-5,
  decay: Decay = 0.99,
  r_max: Annotated[float, Range(least=1)] = 3.0,
  d_max: NotNegative = 5.0,
  renorm_start: Annotated[int, Range(least=0)] = 5_000,
  r_end: int = 40_000,
  d_end: int = 25_000,
  **fields: Any,
) -> linen.BatchRenorm:
  """Batch norm until `renorm_start`, then corrected up to the limits."""
  if not renorm_start < min(r_end, d_end):
    raise UserError(
      f"norm.renorm_start: {renorm_start} must come before norm.r_end {r_end} "
      f"and norm.d_end {d_end}"
    )
  return linen.BatchRenorm(
    epsilon=epsilon,
    momentum=decay,
    r_max=r_max,
    d_max=d_max,
    schedule=functools.partial(
      ops.renorm_schedule, start=renorm_start, r_end=r_end, d_end=d_end
    ),
    **fields,
  )


@_entry
def l1_batch_norm(
  *, epsilon: Epsilon = 1e-5, decay: Decay = 0.99, **fields: Any
) -> linen.L1BatchNorm:
  """Batch norm by mean absolute deviation."""
  return linen.L1BatchNorm(epsilon=epsilon, momentum=decay, **fields)


@_entry
def lp_batch_norm(
  *, epsilon: Epsilon = 1e-5, decay: Decay = 0.99, p: str = "1", **fields: Any
) -> linen.LpBatchNorm:
  """Batch norm by the mean lp norm of what is not centred: p 1, 2 or inf."""
  choice("norm.p", p, ("1", "2", "inf"))
  return linen.LpBatchNorm(
    epsilon=epsilon, momentum=decay, p=float(p), **fields
  )


@_entry
def noisy_batch_norm(
  *,
  epsilon: Epsilon = 1e-5,
  decay: Decay = 0.99,
  dose: Traced[NotNegative] = 0.5,
  stretch: Traced[Annotated[float, Range(least=1)]] = 1.25,
  jitter: Traced[NotNegative] = 0.1,
  **fields: Any,
) -> linen.NoisyBatchNorm:
  """Batch norm, then a shift up to `dose` and a factor, new at each step."""
  return linen.NoisyBatchNorm(
    epsilon=epsilon,
    momentum=decay,
    dose=dose,
    stretch=stretch,
    jitter=jitter,
    **fields,
  )


@_entry
def evonorm_b0(
  *, epsilon: Epsilon = 1e-5, decay: Decay = 0.99, **fields: Any
) -> linen.EvoNormB0:
  """EvoNorm-B0, an activation, too: take model.activation='identity'."""
  return linen.EvoNormB0(epsilon=epsilon, momentum=decay, **fields)


@_entry
def whitening(
  *,
  epsilon: Epsilon = 1e-5,
  decay: Decay = 0.99,
  group_size: Count | None = 16,
  **fields: Any,
) -> linen.Whitening:
  """Whitening by the covariance's root, in groups of so many features."""
  return linen.Whitening(
    epsilon=epsilon, momentum=decay, group_size=group_size, **fields
  )


@_entry
def iter_norm(
  *,
  epsilon: Epsilon = 1e-5,
  decay: Decay = 0.99,
  group_size: Count | None = 16,
  newton_steps: Annotated[int, Range(least=0, most=1000)] = 5,
  **fields: Any,
) -> linen.IterNorm:
  """Whitening by Newton's iteration."""
  return linen.IterNorm(
    epsilon=epsilon,
    momentum=decay,
    group_size=group_size,
    steps=newton_steps,
    **fields,
  )


@_entry
def evonorm_s0(
  *, epsilon: Epsilon = 1e-5, groups: Count | None = None, **fields: Any
) -> linen.EvoNormS0:
  """EvoNorm-S0, an activation, too: take model.activation='identity'."""
  return linen.EvoNormS0(epsilon=epsilon, num_groups=groups, **fields)


@_entry
def group_norm(
  *, epsilon: Epsilon = 1e-6, groups: Count | None = None, **fields: Any
) -> linen.GroupNorm:
  """Group normalization; without `groups` as many as fit, at most 32."""
  return linen.GroupNorm(epsilon=epsilon, num_groups=groups, **fields)


@_entry
def filter_response_norm(
  *, epsilon: Epsilon = 1e-6, **fields: Any
) -> linen.FilterResponseNorm:
  """An activation, too: take model.activation='identity'."""
  return linen.FilterResponseNorm(epsilon=epsilon, **fields)


@_entry
def instance_norm(
  *, epsilon: Epsilon = 1e-6, **fields: Any
) -> linen.InstanceNorm:
  """Instance normalization, for convolutions."""
  return linen.InstanceNorm(epsilon=epsilon, **fields)


@_entry
def layer_norm(*, epsilon: Epsilon = 1e-6, **fields: Any) -> linen.LayerNorm:
  """Layer normalization."""
  return linen.LayerNorm(epsilon=epsilon, **fields)


@_entry
def rms_norm(*, epsilon: Epsilon = 1e-6, **fields: Any) -> linen.RMSNorm:
  """Division by the root mean square."""
  return linen.RMSNorm(epsilon=epsilon, **fields)


@_entry
def feature_norm(
  *, derivative: str = "corrected", **fields: Any
) -> linen.FeatureNorm:
  """The 2018 post's norm, `corrected` or `as_published`."""
  choice("norm.derivative", derivative, ("as_published", "corrected"))
  return linen.FeatureNorm(derivative=derivative, **fields)


NORMS: dict[str, Norm] = {
  "none": NoNorm,
  **{
    function.__name__: function
    for function in (
      batch_norm,
      flax_batch_norm,
      # Of the batch, with running statistics.
      batch_renorm,
      evonorm_b0,
      ghost_batch_norm,
      iter_norm,
      l1_batch_norm,
      lp_batch_norm,
      noisy_batch_norm,
      whitening,
      # Of each example.
      evonorm_s0,
      feature_norm,
      filter_response_norm,
      group_norm,
      instance_norm,
      layer_norm,
      rms_norm,
    )
  },
}
