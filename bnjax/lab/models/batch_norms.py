"""Relatives of batch norm, which have running statistics as it has."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from bnjax import ops
from bnjax.lab.errors import UserError
from bnjax.lab.models.example_norms import largest_divisor
from bnjax.lab.models.norm_modules import (
  AFFINE,
  State,
  Stateful,
  zeros_and_ones,
)
from bnjax.linen import BatchNorm


@dataclass(frozen=True)
class GhostBatchNormalization:
  """Batch norm of groups of the batch (https://arxiv.org/abs/1705.08741).

  Attributes:
    epsilon: added to the variance.
    decay: of the running statistics, which are those of the whole batch.
    ghost_groups: how many groups of examples; divides the batch size.
  """

  epsilon: Any = 1e-5
  decay: Any = 0.99
  ghost_groups: int = 4

  def __call__(self, x, *, train, mask=None, name=None):  # type: ignore[no-untyped-def]
    """Normalizes each group over all axes but the last."""
    if self.ghost_groups < 1 or (train and x.shape[0] % self.ghost_groups):
      raise UserError(
        f"norm.ghost_groups: {self.ghost_groups} does not divide the batch of "
        f"{x.shape[0]}; choose one that does, or another batch_size"
      )
    module = BatchNorm(
      momentum=self.decay,
      epsilon=self.epsilon,
      groups=self.ghost_groups,
      dtype=x.dtype,
      name=name,
    )
    return module(x, use_running_average=not train, mask=mask)


@dataclass(frozen=True)
class BatchRenormalization:
  """Batch renormalization (https://arxiv.org/abs/1702.03275).

  It is batch norm for `renorm_start` steps, and then corrects more and more.

  Attributes:
    epsilon: added to the variance.
    decay: of the running statistics.
    r_max: the largest factor, from `r_end` on.
    d_max: the largest shift in standard deviations, from `d_end` on.
    renorm_start: the last step that is batch norm.
    r_end: step from which `r_max` stays; linear before.
    d_end: step from which `d_max` stays; likewise.
  """

  epsilon: Any = 1e-5
  decay: Any = 0.99
  r_max: Any = 3.0
  d_max: Any = 5.0
  renorm_start: int = 5_000
  r_end: int = 40_000
  d_end: int = 25_000

  def __call__(self, x, *, train, mask=None, name=None):  # type: ignore[no-untyped-def]
    """Normalizes over all axes but the last."""
    if not self.renorm_start < min(self.r_end, self.d_end):
      raise UserError(
        f"norm.renorm_start: {self.renorm_start} must come before norm.r_end "
        f"{self.r_end} and norm.d_end {self.d_end}"
      )

    def training(
      x: jax.Array, state: State, *, scale: Any, bias: Any, mask: Any
    ) -> tuple[jax.Array, State]:
      limits = ops.renorm_schedule(
        state["step"],
        start=self.renorm_start,
        r_end=self.r_end,
        d_end=self.d_end,
        r_max=self.r_max,
        d_max=self.d_max,
      )
      y, running = ops.batch_renorm(
        x,
        scale,
        bias,
        _running(state),
        rule=ops.ema(self.decay),
        epsilon=self.epsilon,
        mask=mask,
        **limits._asdict(),
      )
      step = state["step"] + 1
      return y, {"mean": running.mean, "var": running.var, "step": step}

    def initial(features: int) -> State:
      return {**zeros_and_ones(features), "step": jnp.zeros((), jnp.int32)}

    inference = _by_running(self.epsilon)
    module = Stateful(training, inference, initial, name=name)
    return module(x, train=train, mask=mask)


@dataclass(frozen=True)
class L1BatchNormalization:
  """Batch norm by mean absolute deviation (https://arxiv.org/abs/1802.09769).

  Attributes:
    epsilon: added to the squared deviation.
    decay: of the running statistics.
  """

  epsilon: Any = 1e-5
  decay: Any = 0.99

  def __call__(self, x, *, train, mask=None, name=None):  # type: ignore[no-untyped-def]
    """Normalizes over all axes but the last."""
    function = partial(ops.l1_batch_norm, epsilon=self.epsilon)
    module = Stateful(
      _then_update(function, self.decay),
      _by_running(self.epsilon),
      zeros_and_ones,
      name=name,
    )
    return module(x, train=train, mask=mask)


@dataclass(frozen=True)
class EvoNormB0:
  """EvoNorm-B0 (https://arxiv.org/abs/2004.02967).

  It is an activation, too: `model.activation` should be `identity`.

  Attributes:
    epsilon: added to the variances.
    decay: of the running statistics.
  """

  epsilon: Any = 1e-5
  decay: Any = 0.99

  def __call__(self, x, *, train, mask=None, name=None):  # type: ignore[no-untyped-def]
    """Normalizes over all axes but the last."""
    function = partial(ops.evonorm_b0, epsilon=self.epsilon)
    module = Stateful(
      _then_update(function, self.decay),
      lambda x, state, **p: function(x, var=state["var"], **p)[0],
      zeros_and_ones,
      (*AFFINE, ("v", 1.0)),
      name=name,
    )
    return module(x, train=train, mask=mask)


@dataclass(frozen=True)
class Whitening:
  """Whitening by the covariance's ZCA root (https://arxiv.org/abs/1804.08450).

  Attributes:
    epsilon: added to the variances.
    decay: of the running mean and covariance.
    group_size: features that are decorrelated with each other: the largest
      divisor of their number that is not above this. None: all of them, which
      needs more examples in a batch than features.
  """

  epsilon: Any = 1e-5
  decay: Any = 0.99
  group_size: int | None = 16

  def __call__(self, x, *, train, mask=None, name=None):  # type: ignore[no-untyped-def]
    """Whitens over all axes but the last."""
    whiten = partial(ops.whiten, epsilon=self.epsilon)
    matrix = partial(ops.zca_matrix, epsilon=self.epsilon)
    module = _whitening(whiten, matrix, self.decay, self.group_size, x, name)
    return module(x, train=train, mask=mask)


@dataclass(frozen=True)
class IterativeNormalization:
  """Whitening by Newton's iteration (https://arxiv.org/abs/1904.03441).

  Attributes:
    epsilon: added to the variances.
    decay: of the running mean and covariance.
    group_size: as for `Whitening`.
    newton_steps: of the iteration.
  """

  epsilon: Any = 1e-5
  decay: Any = 0.99
  group_size: int | None = 16
  newton_steps: int = 5

  def __call__(self, x, *, train, mask=None, name=None):  # type: ignore[no-untyped-def]
    """Whitens over all axes but the last."""
    options = {"epsilon": self.epsilon, "steps": self.newton_steps}
    whiten = partial(ops.iter_norm, **options)
    matrix = partial(ops.newton_matrix, **options)
    module = _whitening(whiten, matrix, self.decay, self.group_size, x, name)
    return module(x, train=train, mask=mask)


def _running(state: State) -> ops.Running:
  # A plain moving average does not read the weight.
  mean, var = state["mean"], state["var"]
  return ops.Running(mean, var, jnp.zeros_like(mean))


def _then_update(
  function: Callable[..., Any], decay: Any
) -> Callable[..., Any]:
  """Returns the training function of one that returns y and Moments."""

  def training(
    x: jax.Array, state: State, **others: Any
  ) -> tuple[jax.Array, State]:
    y, moments = function(x, **others)
    moments = jax.lax.stop_gradient(moments)
    new = ops.update_running(_running(state), moments, ops.ema(decay))
    return y, {"mean": new.mean, "var": new.var}

  return training


def _by_running(epsilon: Any) -> Callable[..., jax.Array]:
  """Returns the inference function of batch norm."""

  def inference(
    x: jax.Array, state: State, *, scale: Any, bias: Any
  ) -> jax.Array:
    mean, var = state["mean"], state["var"]
    return ops.normalize(x, mean, var, scale, bias, epsilon=epsilon)

  return inference


def _whitening(
  whiten: Callable[..., Any],
  matrix: Callable[..., jax.Array],
  decay: Any,
  group_size: int | None,
  x: jax.Array,
  name: str | None,
) -> Stateful:
  features = x.shape[-1]
  if group_size is not None and group_size < 1:
    raise UserError(f"norm.group_size: {group_size} must be at least 1")
  size = features if group_size is None else group_size
  groups = features // largest_divisor(features, size)

  def training(
    x: jax.Array, state: State, **others: Any
  ) -> tuple[jax.Array, State]:
    y, batch = whiten(x, groups=groups, **others)
    running = ops.Covariance(jnp.zeros(()), state["mean"], state["cov"])
    new = ops.update_covariance(running, batch, decay)
    return y, {"mean": new.mean, "cov": new.cov}

  def inference(x: jax.Array, state: State, **parameters: Any) -> jax.Array:
    root = matrix(state["cov"])
    return ops.apply_whitening(x, state["mean"], root, **parameters)

  def initial(features: int) -> State:
    start = ops.init_covariance(features, groups=groups)
    return {"mean": start.mean, "cov": start.cov}

  return Stateful(training, inference, initial, name=name)
