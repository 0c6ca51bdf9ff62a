"""How running statistics follow the batches: rules, and presets by name."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, NamedTuple

import jax
from jaxtyping import Array, Float

from bnjax.ops import _arguments


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

  Example:
    >>> import jax
    >>> import jax.numpy as jnp
    >>> from bnjax.ops import batch_moments, ema, init_running, update_running
    >>> batch = batch_moments(jnp.array([[1.0], [5.0]]))
    >>> update = jax.jit(update_running)  # The rule is an argument as others.
    >>> update(init_running(1), batch, ema(0.5)).mean
    Array([1.5], dtype=float32)
    >>> rules = jax.vmap(ema)(jnp.array([0.0, 0.5, 1.0]))
    >>> many = jax.vmap(update_running, in_axes=(None, None, 0))
    >>> many(init_running(1), batch, rules).mean.ravel()
    Array([3. , 1.5, 0. ], dtype=float32)
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
    decay: from 0 to 1; one number, which may be traced, and vmapped over.
      PyTorch's momentum is 1 - decay.
    unbiased: average the unbiased variance, as PyTorch does.

  Returns:
    A Rule for `update_running`.

  Raises:
    TypeError: decay is no number; None, of a cumulative average, included.
    ValueError: decay is outside of [0, 1] (unless traced) or several numbers.

  Example:
    >>> from bnjax.ops import ema
    >>> ema(0.9)
    Rule(decay=0.9, debias=False, by_count=False, unbiased=False)
  """
  return Rule(_checked(decay), unbiased=_switch(unbiased))


def debiased_ema(
  decay: float | Float[Array, ""], *, unbiased: bool = False
) -> Rule:
  """Exponential moving average of the batches alone.

  new = old + (1 - decay) / (1 - decay^n) * (batch - old)

  The first batch replaces the initial values, so the average of equal batches
  is that batch from the first step on. This is the average that Haiku and
  Adam keep, stored as it is read: the correction is in the update.

  Args:
    decay: from 0 to 1; one number, which may be traced, and vmapped over; it
      may change from step to step.
    unbiased: average the unbiased variance.

  Returns:
    A Rule for `update_running`.

  Raises:
    TypeError: decay is no number.
    ValueError: decay is outside of [0, 1] (unless traced) or several numbers.

  Reference:
    Kingma and Ba (2015), arXiv:1412.6980, section 3.

  Example:
    >>> from bnjax.ops import debiased_ema
    >>> debiased_ema(0.9).debias
    True
  """
  return Rule(_checked(decay), debias=True, unbiased=_switch(unbiased))


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
    >>> from bnjax.ops import cumulative
    >>> cumulative(unbiased=True)
    Rule(decay=None, debias=False, by_count=False, unbiased=True)
  """
  _arguments.choice("weighting", weighting, ("batch", "count"))
  return Rule(by_count=weighting == "count", unbiased=_switch(unbiased))


def _switch(unbiased: bool) -> bool:
  _arguments.switch("unbiased", unbiased)
  return bool(unbiased)


def _checked(decay: float | Float[Array, ""]) -> float | Float[Array, ""]:
  hint = (
    "It is the share of the old value: one minus PyTorch's momentum. "
    "A cumulative average is cumulative(); many decays are jax.vmap(ema)."
  )
  return _arguments.number("decay", decay, least=0, most=1, hint=hint)


class Preset(NamedTuple):
  """What a library does by default.

  Attributes:
    rule: of its running statistics, which all start at mean 0 and variance 1.
    epsilon: that it adds to the variance.

  Example:
    >>> from bnjax.ops import PRESETS
    >>> PRESETS["keras"].rule.decay, PRESETS["keras"].epsilon
    (0.99, 0.001)
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


def as_rule(rule: Any) -> Rule:
  """Returns the rule of what may stand for one: a preset, or its name.

  Raises:
    TypeError: it is something else, such as a decay or `ema` itself.
    ValueError: no preset has this name.
  """
  if isinstance(rule, Rule):
    return rule
  if isinstance(rule, Preset):
    return rule.rule
  if isinstance(rule, str) and rule in PRESETS:
    return PRESETS[rule].rule
  error = ValueError if isinstance(rule, str) else TypeError
  raise error(
    "rule must be a Rule, such as bnjax.ema(0.9), a Preset, or the name of one "
    f"({', '.join(PRESETS)}): got {rule!r}."
  )


__all__ = ["PRESETS", "RULES", "Preset", "Rule"]
__all__ += ["cumulative", "debiased_ema", "ema"]
