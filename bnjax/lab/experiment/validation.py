"""What can be wrong with a specification, found before anything is run."""

import contextlib
import functools
from collections.abc import Iterator, Mapping
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp

from bnjax.lab import data, probes, registry
from bnjax.lab.config import make_task
from bnjax.lab.errors import UserError
from bnjax.lab.experiment.plan import Group
from bnjax.lab.models.norms import FROZEN
from bnjax.lab.train import memory
from bnjax.lab.train.observe import observe
from bnjax.lab.train.population import check_statistics
from bnjax.lab.train.program import Across
from bnjax.lab.train.state import TrainState
from bnjax.lab.train.step import Batch, Task, init_state


class Checked(NamedTuple):
  """A program to compile, nothing of it wrong."""

  # its networks, as many together as there is memory for, in order
  parts: tuple[Group, ...]
  # what is trained, of the first network; the pixels' mean is not known before
  # the data is read
  task: Task
  data: data.Spec  # what is known of the data set before
  state: TrainState  # shapes and dtypes of what training changes
  batch: Batch  # of a minibatch
  need: memory.Need  # memory of a network
  across: Across  # how its networks are run


def wide(spec: Mapping[str, Any]) -> Any:
  """A context in which JAX has float64, if the specification asks for it."""
  return jax.enable_x64(spec["precision"] == "float64")


def check_spec(
  spec: Mapping[str, Any], data_dir: str | None = None
) -> tuple[Task, data.Spec]:
  """Checks a specification's values against each other and its data set.

  Returns:
    What is trained, the pixels' mean left at 0, and what is known of its data.

  Raises:
    UserError: two numbers do not fit each other, or a name is not known.
  """
  dataset = {k: v for k, v in spec["dataset"].items() if k != "center"}
  if spec["stream"]:
    data.check_streamed(**dataset)
  known = data.sizes(**dataset, data_dir=data_dir)
  for split in ("train", "validation", "test"):
    if not getattr(known, split):
      raise UserError(f"dataset.name: {dataset['name']!r} has no {split} set")
  if spec["batch_size"] > known.train:
    raise UserError(
      f"batch_size: {spec['batch_size']} is more than the {known.train} "
      f"training examples of {spec['dataset']['name']}"
    )
  probes.make_probes(spec["probes"])
  with wide(spec):
    task = make_task(spec, num_classes=known.num_classes, pixel_mean=0.0)
  return task, known


def check_program(
  group: Group, machine: Mapping[str, Any], data_dir: str | None = None
) -> Checked:
  """Checks all that one program would train, each specification once.

  Raises:
    UserError: as `check_spec`; or the model does not fit the images, a probe
      finds no such layer, statistics cannot be recomputed, or not even one
      network fits into memory.
  """
  specs = {id(n.spec): n.spec for n in group.networks}
  (task, known), *_ = [check_spec(spec, data_dir) for spec in specs.values()]
  spec = group.spec
  with wide(spec), _in_a_line(group.networks[0].arm):
    state = jax.eval_shape(
      lambda: init_state(task, jax.random.key(0), known.image_shape)
    )
    if spec["norm"]["name"] == FROZEN and not spec["population_batches"]:
      raise UserError(
        f"population_batches: norm.name={FROZEN!r} keeps the statistics of so "
        "many minibatches, taken before training; set it to 100, say"
      )
    if spec["population_batches"]:
      check_statistics(task, state, spec["norm"]["name"])
    batch = _batch(known, spec["batch_size"])
    chosen = probes.make_probes(spec["probes"])
    there = getattr(known, spec["probe_split"])
    seen = _batch(known, min(spec["probe_examples"], there))
    look = functools.partial(observe, chosen, task) if chosen else None
    need = memory.estimate(task, state, batch, look, seen)
  across = _across(state, machine["across"])
  at_once = _networks_at_once(need, across, machine["memory_gb"])
  parts = group.split(min(machine["max_networks"] or at_once, at_once))
  return Checked(tuple(parts), task, known, state, batch, need, across)


def _batch(known: data.Spec, examples: int) -> Batch:
  shape: Any = jax.ShapeDtypeStruct
  return Batch(
    shape((examples, *known.image_shape), jnp.dtype(known.dtype)),
    shape((examples,), jnp.int32),
  )


@contextlib.contextmanager
def _in_a_line(arm: str) -> Iterator[None]:
  """What a model cannot do, whoever's it is, as a `UserError`."""
  try:
    yield
  except UserError as error:
    raise UserError(f"{error} (arm {arm!r})") from None
  except Exception as error:
    raise UserError(f"{registry.said(error)} (arm {arm!r})") from error


# Networks trained together on a CPU go slower once their states no longer stay
# in its caches: 3x100 networks by a third from 32 of them to 64.
_CPU_CACHE = 20e6


def _across(state: TrainState, asked: Literal["auto"] | Across) -> Across:
  """How the networks of a program are run, if need be by what is faster.

  On a CPU networks that convolve took 1.1 to 1.2 times as long together, others
  as long or little longer: docs/benchmarks/across-cpu.md.
  """
  if asked != "auto":
    return asked
  convolves = any(leaf.ndim > 3 for leaf in jax.tree.leaves(state.params))
  return "map" if convolves and jax.default_backend() == "cpu" else "vmap"


def _networks_at_once(need: memory.Need, across: Across, budget: float) -> int:
  """How many networks one program may hold.

  Raises:
    UserError: not even one fits.
  """
  at_once = need.at_once(1e9 * budget, across)
  if at_once < 1:
    raise UserError(
      f"machine.memory_gb: {budget:g} does not hold one network, which takes "
      f"up to {need.together(1, across) / 1e9:.1f}; allow more or make "
      "batch_size smaller"
    )
  if jax.default_backend() == "cpu" and across == "vmap":
    at_once = min(at_once, max(1, int(_CPU_CACHE // need.state)))
  return at_once
