"""How running statistics follow the batches: rules, and presets by name."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Literal, NamedTuple

import jax
from jaxtyping import Array, Float


@partial(
  jax.tree_util.register_dataclass,
  data_fields=["decay"],
  meta_fields=["debias", "by_count", "unbiased"],
)
@dataclass(frozen=True)
class Rule:
  """How `update_running` weighs a batch; make one with the functions below.

  A pytree whose only leaf is `decay`, so a rule may be an argument of a jitted
  function, be scheduled over steps, or be vmapped over many decays.

  Attributes:
    decay: of an exponential moving average; None for a cumulative average.
    debias: divide the weight of the initial values out of the average.
    by_count: weigh batches by their counts rather than equally.
    unbiased: follow the unbiased variance, m2 / (count - 1).
  """

  decay: float | Float[Array, ""] | None = None
  debias: bool = False
  by_count: bool = False
  unbiased: bool = False


def ema(decay: float | Float[Array, ""], *, unbiased: bool = False) -> Rule:
  """Exponential moving average: new = decay * old + (1 - decay) * batch.

  After n batches it still holds decay^n of the initial values: with decay
  0.99, 37% after 100 steps. `debiased_ema` does not.

  Args:
    decay: from 0 to 1; may be traced. PyTorch's momentum is 1 - decay.
    unbiased: average the unbiased variance, as PyTorch does.

  Returns:
    A Rule for `update_running`.

  Raises:
    ValueError: decay is a Python number outside [0, 1].

  Example:
    >>> ema(0.9)
    Rule(decay=0.9, debias=False, by_count=False, unbiased=False)
  """
  return Rule(_checked(decay), unbiased=unbiased)


def debiased_ema(
  decay: float | Float[Array, ""], *, unbiased: bool = False
) -> Rule:
  """Exponential moving average of the batches alone.

  new = old + (1 - decay) / (1 - decay^n) * (batch - old)

  The first batch replaces the initial values, so the average of equal batches
  is that batch from the first step on. This is the average that Haiku and
  Adam keep, stored as it is read: the correction is in the update.

  Args:
    decay: from 0 to 1; may be traced and may change from step to step.
    unbiased: average the unbiased variance.

  Returns:
    A Rule for `update_running`.

  Raises:
    ValueError: decay is a Python number outside [0, 1].

  Reference:
    Kingma and Ba (2015), arXiv:1412.6980, section 3.

  Example:
    >>> debiased_ema(0.9).debias
    True
  """
  return Rule(_checked(decay), debias=True, unbiased=unbiased)


def cumulative(
  *, unbiased: bool = False, weighting: Literal["batch", "count"] = "batch"
) -> Rule:
  """Average of all batches so far.

  weighting="batch": mean = E_B[mean_B], var = E_B[var_B], every minibatch
  equal: Algorithm 2 with unbiased=True; PyTorch's momentum=None.
  weighting="count": mean and variance of all numbers in all batches, by the
  law of total variance (PreciseBN), where unequal batches weigh by count.

  Args:
    unbiased: divide by count - 1 instead of count: of each batch, or of all
      numbers together for weighting="count".
    weighting: what each batch counts for.

  Returns:
    A Rule for `update_running`.

  Raises:
    ValueError: weighting is neither "batch" nor "count".

  Reference:
    Ioffe and Szegedy (2015), arXiv:1502.03167, Algorithm 2, line 10; Wu and
    Johnson (2021), arXiv:2105.07576, section 3.

  Example:
    >>> cumulative(unbiased=True)
    Rule(decay=None, debias=False, by_count=False, unbiased=True)
  """
  if weighting not in ("batch", "count"):
    raise ValueError(f"weighting must be 'batch' or 'count': {weighting!r}.")
  return Rule(by_count=weighting == "count", unbiased=unbiased)


def _checked(decay: float | Float[Array, ""]) -> float | Float[Array, ""]:
  if isinstance(decay, (int, float)) and not 0 <= decay <= 1:
    raise ValueError(
      f"decay must lie in [0, 1], got {decay}. It is the share of the old "
      "value: one minus PyTorch's momentum."
    )
  return decay


class Preset(NamedTuple):
  """What a library does by default.

  Attributes:
    rule: of its running statistics, which all start at mean 0 and variance 1.
    epsilon: that it adds to the variance.
  """

  rule: Rule
  epsilon: float


RULES: dict[str, Callable[..., Rule]] = {
  "ema": ema,
  "debiased_ema": debiased_ema,
  "cumulative": cumulative,
}

# Haiku and Equinox debias: debiased_ema(decay), of the biased variance. (In
# Equinox's mode="batch" 0.13.8 the variance starts at 1 and is divided by
# 1 - decay^n all the same, which makes it too large by decay^n/(1 - decay^n).)
PRESETS: dict[str, Preset] = {
  "flax": Preset(ema(0.99), 1e-5),
  "keras": Preset(ema(0.99), 1e-3),
  "pytorch": Preset(ema(0.9, unbiased=True), 1e-5),
  "pytorch_cumulative": Preset(cumulative(unbiased=True), 1e-5),
  "paper": Preset(cumulative(unbiased=True), 1e-5),  # It gives no epsilon.
}

__all__ = ["PRESETS", "RULES", "Preset", "Rule"]
__all__ += ["cumulative", "debiased_ema", "ema"]
