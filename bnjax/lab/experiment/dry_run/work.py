"""What the networks of a group need: parameters, operations, memory."""

import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from bnjax.lab import data
from bnjax.lab.build import make_task
from bnjax.lab.experiment.plan import Group
from bnjax.lab.experiment.validation import wide
from bnjax.lab.train import memory
from bnjax.lab.train.precision import PRECISIONS
from bnjax.lab.train.step import Batch, init_state, train_step


class Work(NamedTuple):
  """What one network of a group needs.

  Attributes:
    parameters: how many numbers are trained.
    step_flops: operations of a training step: what XLA counts in the program
      before it optimizes it, forward, backward and update.
    state_bytes: of parameters, statistics and the optimizer's state.
    step_bytes: all that a step computes, were nothing of it fused or freed.
  """

  parameters: int
  step_flops: float
  state_bytes: int
  step_bytes: int


def sizes(spec: Any) -> data.Spec:
  """What is known of a specification's data set without reading it."""
  fields = {k: v for k, v in spec["dataset"].items() if k != "center"}
  return data.sizes(**fields)


def measure(group: Group) -> Work:
  """Counts by shapes alone: nothing is computed, compiled or read."""
  spec, known = group.spec, sizes(group.spec)
  with wide(spec):
    task = make_task(spec, num_classes=known.num_classes, pixel_mean=0.0)
    shape: Any = jax.ShapeDtypeStruct
    size = spec["batch_size"]
    batch = Batch(
      shape((size, *known.image_shape), jnp.dtype(known.dtype)),
      shape((size,), jnp.int32),
    )
    key = jax.eval_shape(lambda: jax.random.key(0))
    state = jax.eval_shape(
      lambda: init_state(task, jax.random.key(0), known.image_shape)
    )
    lowered = jax.jit(
      lambda state, key, batch: train_step(task, state, key, batch)
    ).lower(state, key, batch)
    cost: Any = lowered.cost_analysis() or {}
    need = memory.estimate(task, known.image_shape, size, batch.images.dtype)
  return Work(
    parameters=sum(math.prod(x.shape) for x in jax.tree.leaves(state.params)),
    step_flops=float(cost.get("flops", math.nan)),
    state_bytes=need.state,
    step_bytes=need.step,
  )


def program_bytes(work: Work, networks: int, across: str) -> int:
  """An upper bound for a program of several networks, its data aside."""
  if across == "map":  # one step at a time, states in and out
    return 2 * networks * work.state_bytes + work.step_bytes
  return networks * (2 * work.state_bytes + work.step_bytes)


def data_bytes(spec: Any) -> int:
  """Of the data set, all splits."""
  known = sizes(spec)
  examples = known.train + known.validation + known.test
  kind = known.dtype
  if kind != "uint8":
    kind = jnp.dtype(PRECISIONS[spec["precision"]].params).name
  each = math.prod(known.image_shape) * jnp.dtype(kind).itemsize + 4
  return examples * each
