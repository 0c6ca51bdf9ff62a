"""How much memory a network needs in training, before it is compiled."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
from jax.extend.core import jaxprs_in_params

from bnjax.lab.errors import UserError
from bnjax.lab.train.state import TrainState
from bnjax.lab.train.step import Batch, Task, train_step
from bnjax.ops._one_value import MESSAGE, ONE_VALUE


class Need(NamedTuple):
  """Bytes of one network."""

  #: parameters, statistics and the optimizer's state, all of training
  state: int
  #: what one step, or one look of the probes, computes, were nothing of it
  #: fused or freed
  step: int

  def together(self, networks: int, across: str) -> int:
    """Bytes of a program of several networks, its data aside."""
    steps = 1 if across == "map" else networks
    return 2 * networks * self.state + steps * self.step

  def at_once(self, budget: float, across: str) -> int:
    """How many networks' program fits into so many bytes: see `together`."""
    if across == "map":
      return int((budget - self.step) // (2 * self.state))
    return int(budget // (2 * self.state + self.step))


def estimate(
  task: Task,
  state: TrainState,
  batch: Batch,
  observe: Callable[[TrainState, Batch], Any] | None = None,
  seen: Batch | None = None,
) -> Need:
  """An upper bound by shapes alone: nothing is computed or compiled.

  Of training on `batch`, and of what probes `observe` of the batch `seen`.

  Raises:
    UserError: a norm gets one value, which has no variance.
  """
  step = jax.make_jaxpr(
    lambda state, key, batch: train_step(task, state, key, batch)
  )(state, jax.eval_shape(lambda: jax.random.key(0)), batch)
  looks = jax.make_jaxpr(observe or (lambda state, seen: None))(state, seen)
  kept = sum(_bytes(leaf) for leaf in jax.tree.leaves(state))
  return Need(kept, max(_computed(step.jaxpr), _computed(looks.jaxpr)))


def _computed(jaxpr: Any) -> int:
  total = 0
  for equation in jaxpr.eqns:
    if equation.primitive is ONE_VALUE:
      raise UserError(MESSAGE)
    inner = list(jaxprs_in_params(equation.params))
    if inner:
      total += sum(map(_computed, inner))
    else:
      total += sum(_bytes(variable.aval) for variable in equation.outvars)
  return total


def _bytes(aval: Any) -> int:
  if jax.dtypes.issubdtype(aval.dtype, jax.dtypes.extended):  # random keys
    return 8 * aval.size
  return int(aval.size) * aval.dtype.itemsize
