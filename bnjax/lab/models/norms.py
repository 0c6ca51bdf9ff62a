"""Normalizations by name: what `config.norm.name` may be.

An entry makes a Flax module from the arguments of the config's group, which are
its keywords, and from fields that the model sets, such as `name`. A model gets
a partial of it and calls `norm(name=...)(x, use_running_average, mask=mask)`. A
new norm is a line in `NORMS`, or any Flax module that is called like this.
"""

import functools
import inspect
from collections.abc import Callable
from typing import Annotated, Any, NamedTuple

import flax.linen as nn
import jax

from bnjax import linen, ops
from bnjax.lab.errors import UserError, choice
from bnjax.lab.models.freezing import FreezingBatchNorm
from bnjax.lab.registry import Count, NotNegative, Range, Share, Traced

Norm = Callable[..., nn.Module]


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


class _Argument(NamedTuple):
  """An argument of a config's group."""

  field: str  # of the module that it sets
  kind: Any  # its type and range
  default: Any = inspect.Parameter.empty  # that of the field if left out


def _entry(make: Callable[..., nn.Module], **arguments: _Argument) -> Norm:
  """A module as configs name it.

  Args:
    make: the module, or what makes it of its fields.
    **arguments: what a config may set; models may set any other field.
  """
  fields = inspect.signature(make).parameters
  defaults = {
    name: fields[field].default
    if default is inspect.Parameter.empty
    else default
    for name, (field, _, default) in arguments.items()
  }

  def entry(**given: Any) -> nn.Module:
    whole = {**defaults, **given}
    own = {arguments[name].field: whole.pop(name) for name in arguments}
    return make(**own, **whole)

  entry.__wrapped__ = make  # type: ignore[attr-defined]
  entry.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
    [
      inspect.Parameter(
        name,
        inspect.Parameter.KEYWORD_ONLY,
        default=defaults[name],
        annotation=argument.kind,
      )
      for name, argument in arguments.items()
    ]
  )
  return entry


def _torch_batch_norm(*, decay: Any = 0.9, **fields: Any) -> linen.BatchNorm:
  """Batch norm by PyTorch's defaults: running variances are unbiased."""
  return linen.BatchNorm(rule=ops.ema(decay, unbiased=True), **fields)


def _frozen_batch_norm(**fields: Any) -> linen.BatchNorm:
  """Batch norm by statistics that training begins with and leaves alone."""
  return linen.BatchNorm(
    normalize_with="running", update_running=False, **fields
  )


def _ghost_batch_norm(
  *, freeze_start: int | None = None, **fields: Any
) -> linen.GhostBatchNorm:
  """Groups of a minibatch; from a step on by the statistics it then has."""
  if freeze_start is None:
    return linen.GhostBatchNorm(**fields)
  return FreezingBatchNorm(freeze_start=freeze_start, **fields)


def _batch_renorm(
  *,
  renorm_start: int = 5_000,
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
  schedule = functools.partial(
    ops.renorm_schedule, start=renorm_start, r_end=r_end, d_end=d_end
  )
  return linen.BatchRenorm(schedule=schedule, **fields)


def _lp_batch_norm(*, p: str = "1", **fields: Any) -> linen.LpBatchNorm:
  """Batch norm by the mean lp norm of what is not centred: p 1, 2 or inf."""
  choice("norm.p", p, ("1", "2", "inf"))
  return linen.LpBatchNorm(p=float(p), **fields)


def _feature_norm(
  *, derivative: str = "corrected", **fields: Any
) -> linen.FeatureNorm:
  """The 2018 post's norm, `corrected` or `as_published`."""
  choice("norm.derivative", derivative, ("as_published", "corrected"))
  return linen.FeatureNorm(derivative=derivative, **fields)


_EPSILON = {"epsilon": _Argument("epsilon", Traced[NotNegative])}
_RUNNING = {**_EPSILON, "decay": _Argument("momentum", Traced[Share])}
_GROUPS = {"groups": _Argument("num_groups", Count | None, None)}
_WHITENING = {
  **_RUNNING,
  "group_size": _Argument("group_size", Count | None),
}

# Its statistics are Algorithm 2's, of `population_batches` at step 0.
FROZEN = "frozen_batch_norm"

NORMS: dict[str, Norm] = {
  "none": NoNorm,
  # Of the batch, with running statistics.
  "batch_norm": _entry(linen.BatchNorm, **_RUNNING),
  FROZEN: _entry(
    _frozen_batch_norm,
    epsilon=_Argument("epsilon", Traced[NotNegative], 1e-5),
  ),
  "flax_batch_norm": _entry(nn.BatchNorm, **_RUNNING),  # to compare with
  "torch_batch_norm": _entry(
    _torch_batch_norm,
    epsilon=_Argument("epsilon", Traced[NotNegative], 1e-5),
    decay=_Argument("decay", Traced[Share]),
  ),
  "batch_renorm": _entry(
    _batch_renorm,
    epsilon=_Argument("epsilon", Traced[NotNegative], 1e-5),
    decay=_Argument("momentum", Traced[Share], 0.99),
    r_max=_Argument("r_max", Annotated[float, Range(least=1)], 3.0),
    d_max=_Argument("d_max", NotNegative, 5.0),
    renorm_start=_Argument("renorm_start", Annotated[int, Range(least=0)]),
    r_end=_Argument("r_end", int),
    d_end=_Argument("d_end", int),
  ),
  # Also an activation: take model.activation='identity'.
  "evonorm_b0": _entry(linen.EvoNormB0, **_RUNNING),
  # With `freeze_start` by running statistics from that step on.
  "ghost_batch_norm": _entry(
    _ghost_batch_norm,
    epsilon=_Argument("epsilon", Traced[NotNegative], 1e-5),
    decay=_Argument("momentum", Traced[Share], 0.99),
    ghost_groups=_Argument("groups", Count, 4),
    freeze_start=_Argument(
      "freeze_start", Annotated[int, Range(least=0)] | None
    ),
  ),
  "iter_norm": _entry(
    linen.IterNorm,
    **_WHITENING,
    newton_steps=_Argument("steps", Annotated[int, Range(0, 1000)]),
  ),
  "l1_batch_norm": _entry(linen.L1BatchNorm, **_RUNNING),
  "lp_batch_norm": _entry(
    _lp_batch_norm,
    epsilon=_Argument("epsilon", Traced[NotNegative], 1e-5),
    decay=_Argument("momentum", Traced[Share], 0.99),
    p=_Argument("p", str),
  ),
  # Shifted up to `dose` and stretched up to `stretch`, anew at each step.
  "noisy_batch_norm": _entry(
    linen.NoisyBatchNorm,
    **_RUNNING,
    dose=_Argument("dose", Traced[NotNegative]),
    stretch=_Argument("stretch", Traced[Annotated[float, Range(least=1)]]),
    jitter=_Argument("jitter", Traced[NotNegative]),
  ),
  "whitening": _entry(linen.Whitening, **_WHITENING),
  # Of each example; the first and the third are activations, too.
  "evonorm_s0": _entry(linen.EvoNormS0, **_EPSILON, **_GROUPS),
  "feature_norm": _entry(
    _feature_norm, derivative=_Argument("derivative", str)
  ),
  "filter_response_norm": _entry(linen.FilterResponseNorm, **_EPSILON),
  # Without `groups` as many as fit, at most 32.
  "group_norm": _entry(linen.GroupNorm, **_EPSILON, **_GROUPS),
  "instance_norm": _entry(linen.InstanceNorm, **_EPSILON),
  "layer_norm": _entry(linen.LayerNorm, **_EPSILON),
  "rms_norm": _entry(linen.RMSNorm, **_EPSILON),
}
