"""What the networks of a group need: parameters, operations, memory."""

import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from bnjax.lab.experiment.validation import Checked, wide
from bnjax.lab.train.precision import PRECISIONS
from bnjax.lab.train.step import train_step


class Work(NamedTuple):
  """What one network of a group needs.

  Attributes:
    parameters: how many numbers are trained.
    step_flops: operations of a training step: what XLA counts in the program
      before it optimizes it, forward, backward and update.
  """

  parameters: int
  step_flops: float


def measure(program: Checked) -> Work:
  """Counts by shapes alone: nothing is computed, compiled or read."""
  task, state = program.task, program.state
  with wide(program.parts[0].spec):
    key = jax.eval_shape(lambda: jax.random.key(0))
    lowered = jax.jit(
      lambda state, key, batch: train_step(task, state, key, batch)
    ).lower(state, key, program.batch)
    cost: Any = lowered.cost_analysis() or {}
  return Work(
    parameters=sum(math.prod(x.shape) for x in jax.tree.leaves(state.params)),
    step_flops=float(cost.get("flops", math.nan)),
  )


def data_bytes(program: Checked) -> int:
  """Of the data set, all splits."""
  known, spec = program.data, program.parts[0].spec
  examples = known.train + known.validation + known.test
  kind = known.dtype
  if kind != "uint8":
    kind = jnp.dtype(PRECISIONS[spec["precision"]].params).name
  each = math.prod(known.image_shape) * jnp.dtype(kind).itemsize + 4
  return examples * each
