"""Learning rates over the steps of a run, by name.

An entry takes the arguments of the config's `schedule` group and, if it wants,
the number of training `steps`, and returns a function from the learning rate,
perhaps traced, to what an optax optimizer takes: the rate itself, or a function
of the number of steps done.
"""

import itertools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from bnjax.lab.errors import UserError
from bnjax.lab.registry import Count, NotNegative, Positive

_Schedule = Callable[[Any], Any]


def constant() -> _Schedule:
  """The learning rate as it is; the optimizer then counts no steps."""
  return lambda learning_rate: learning_rate


def exponential(
  *,
  rate: Positive = 0.5,
  decay_steps: Count = 1000,
  speed: Positive = 1.0,
) -> _Schedule:
  """`learning_rate * rate ** (speed * step / decay_steps)`.

  Args:
    rate: what the learning rate is multiplied by every `decay_steps`.
    decay_steps: how many those are.
    speed: so many times as fast: 6 in the list of changes in section 4.2.1 of
      Ioffe and Szegedy (2015), arXiv:1502.03167.
  """
  return _scaled(lambda step: rate ** (speed * step / decay_steps))


def cosine(*, steps: int, final: NotNegative = 0.0) -> _Schedule:
  """Half a cosine from the learning rate down to `final` times it.

  Args:
    steps: of the way down, all of training.
    final: what is left of the learning rate.

  Reference:
    Loshchilov and Hutter (2017), arXiv:1608.03983, without restarts.
  """

  def factor(step: jax.Array) -> jax.Array:
    way = jnp.minimum(step / max(steps, 1), 1.0)
    return final + (1 - final) * 0.5 * (1 + jnp.cos(jnp.pi * way))

  return _scaled(factor)


def piecewise(
  *,
  boundaries: tuple[Count, ...] = (),
  factor: NotNegative = 0.1,
) -> _Schedule:
  """The learning rate times `factor` once for every boundary passed.

  Args:
    boundaries: numbers of steps, increasing.
    factor: what each multiplies the rate by.

  Raises:
    UserError: the boundaries do not increase.
  """
  if any(b <= a for a, b in itertools.pairwise(boundaries)):
    raise UserError(
      f"schedule.boundaries: {tuple(boundaries)} are no increasing numbers of "
      "steps"
    )
  places = jnp.asarray(boundaries, jnp.int32)
  return _scaled(lambda step: factor ** jnp.sum(step >= places))


def undecayed(*, l2: NotNegative = 5e-4) -> _Schedule:
  """The rate without an L2 term that does what a constant rate does with it.

  `learning_rate * a ** (-2 step - 1)` with `a = 1 - learning_rate * l2`: where
  a norm follows every matrix that is trained, plain gradient descent then goes
  through the same functions, its weights `a ** -step` times as large.

  Args:
    l2: the config's `l2` of the run that it repeats.

  Reference:
    Li and Arora (2019), arXiv:1910.07454, theorem 2.3 without momentum.
  """

  def schedule(learning_rate: Any) -> Any:
    shrinks = 1 - learning_rate * l2
    return lambda step: learning_rate * shrinks ** (-2 * jnp.asarray(step) - 1)

  return schedule


SCHEDULES: dict[str, Callable[..., _Schedule]] = {
  "constant": constant,
  "cosine": cosine,
  "exponential": exponential,
  "piecewise": piecewise,
  "undecayed": undecayed,
}


def _scaled(factor: Callable[[jax.Array], jax.Array]) -> _Schedule:
  return lambda learning_rate: (
    lambda step: learning_rate * factor(jnp.asarray(step))
  )
