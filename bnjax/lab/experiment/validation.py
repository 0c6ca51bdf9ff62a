"""What can be wrong with a specification, found before anything is run."""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp

from bnjax.lab import data, probes
from bnjax.lab.build import make_task
from bnjax.lab.data.batches import SAMPLERS
from bnjax.lab.errors import UserError, choice
from bnjax.lab.experiment.plan import Group
from bnjax.lab.train import memory
from bnjax.lab.train.precision import PRECISIONS
from bnjax.lab.train.step import Task, init_state

_AT_LEAST = {
  "steps": 0,
  "batch_size": 1,
  "eval_every": 1,
  "seeds": 1,
  "seed": 0,
  "workers": 0,
  "population_batches": 0,
  "probe_every": 0,
  "probe_examples": 1,
}


def wide(spec: Mapping[str, Any]) -> Any:
  """A context in which JAX has float64, if the specification asks for it."""
  return jax.enable_x64(spec["precision"] == "float64")


def validate(spec: Mapping[str, Any], *, shapes: bool = True) -> None:
  """Checks a specification's values against each other and its data set.

  Args:
    spec: an arm's, or a point's of the grid.
    shapes: whether to check also that the model fits the images and the probes
      find their layers: once is enough for points that share a program.

  Raises:
    UserError: a number is out of its range, a name is not known, the model
      does not fit the images, or a probe finds no such layer.
  """
  for field, least in _AT_LEAST.items():
    if spec[field] < least:
      raise UserError(f"{field}: {spec[field]} is too small; at least {least}")
  if spec["stream"]:
    dataset = spec["dataset"]
    data.check_streamed(
      dataset["name"], dataset["transform"], dataset["examples"]
    )
  choice("sampler", spec["sampler"], SAMPLERS)
  choice("precision", spec["precision"], PRECISIONS)
  choice("across", spec["across"], ("map", "vmap"))
  sizes = _sizes(spec)
  if spec["batch_size"] > sizes.train:
    raise UserError(
      f"batch_size: {spec['batch_size']} is more than the {sizes.train} "
      f"training examples of {spec['dataset']['name']}"
    )
  chosen = probes.make_probes(spec["probes"])
  task = _task(spec)
  if not shapes:
    return
  with wide(spec):
    variables = jax.eval_shape(
      lambda: _variables(task, jax.random.key(0), sizes.image_shape)
    )
    if chosen:
      shape = (min(spec["probe_examples"], sizes.train), *sizes.image_shape)
      images = jax.ShapeDtypeStruct(shape, task.precision.activations)
      probes.check_probes(chosen, task.model, variables, images, train=True)


# Networks trained together on a CPU go slower once their states no longer stay
# in its caches: 3x100 networks by a third from 32 of them to 64.
_CPU_CACHE = 20e6


def networks_at_once(group: Group, memory_gb: float) -> int:
  """How many networks of a group one program may hold.

  Args:
    group: the networks.
    memory_gb: the budget, in 1e9 bytes.

  Raises:
    UserError: not even one fits.
  """
  spec = group.spec
  sizes = _sizes(spec)
  with wide(spec):
    need = memory.estimate(
      _task(spec), sizes.image_shape, spec["batch_size"], jnp.uint8
    )
  budget = memory_gb * 1e9
  if spec["across"] == "map":  # one step at a time, states in and out
    at_once = int((budget - need.step) // (2 * need.state))
  else:
    at_once = int(budget // (2 * need.state + need.step))
  if at_once < 1:
    raise UserError(
      f"memory_gb: {memory_gb:g} does not hold one network, which takes up to "
      f"{(2 * need.state + need.step) / 1e9:.1f}; allow more or make "
      "batch_size smaller"
    )
  if jax.default_backend() == "cpu" and spec["across"] == "vmap":
    at_once = min(at_once, max(1, int(_CPU_CACHE // need.state)))
  return at_once


def _sizes(spec: Mapping[str, Any]) -> data.Spec:
  fields = {k: v for k, v in spec["dataset"].items() if k != "center"}
  return data.sizes(**fields)


def _task(spec: Mapping[str, Any]) -> Task:
  return make_task(spec, num_classes=_sizes(spec).num_classes, pixel_mean=0.0)


def _variables(task: Task, key: jax.Array, shape: tuple[int, ...]) -> Any:
  state = init_state(task, key, shape)
  return {"params": state.params, "batch_stats": state.batch_stats}
