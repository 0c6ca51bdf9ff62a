"""How much memory a network needs in training, before it is compiled."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.extend.core import jaxprs_in_params

from bnjax.lab.train.step import Batch, Task, init_state, train_step


class Need(NamedTuple):
  """Bytes of one network.

  Attributes:
    state: parameters, statistics and the optimizer's state, all of training.
    step: what one step computes, were nothing of it fused or freed.
  """

  state: int
  step: int


def estimate(
  task: Task, image_shape: tuple[int, ...], batch_size: int, image_dtype: Any
) -> Need:
  """An upper bound by shapes alone: nothing is computed or compiled."""
  state = jax.eval_shape(
    lambda: init_state(task, jax.random.key(0), image_shape)
  )
  shape: Any = jax.ShapeDtypeStruct
  batch = Batch(
    shape((batch_size, *image_shape), image_dtype),
    shape((batch_size,), jnp.int32),
  )
  step = jax.make_jaxpr(
    lambda state, key, batch: train_step(task, state, key, batch)
  )(state, jax.eval_shape(lambda: jax.random.key(0)), batch)
  kept = sum(_bytes(leaf) for leaf in jax.tree.leaves(state))
  return Need(kept, _computed(step.jaxpr))


def _computed(jaxpr: Any) -> int:
  total = 0
  for equation in jaxpr.eqns:
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
