"""Puts together what a config would train; reads no data, writes nothing."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from bnjax.lab import experiment
from bnjax.lab.config import complete
from bnjax.lab.experiment.dry_run import timing
from bnjax.lab.experiment.plan import Network
from bnjax.lab.experiment.validation import Checked, wide
from bnjax.lab.results import Rules
from bnjax.lab.train.precision import PRECISIONS
from bnjax.lab.train.step import train_step


class Program(NamedTuple):
  """A compiled program and the networks it trains."""

  arms: tuple[str, ...]  # their arms
  # what they have in common, and of the rest the first one's
  spec: Mapping[str, Any]
  # what differs between them, by dotted field, beside the seed
  fields: tuple[str, ...]
  # how many networks are trained together, turn after turn
  parts: tuple[int, ...]
  parameters: int  # how many numbers of one network are trained
  # operations of a training step of one network: what XLA counts in the program
  # before it optimizes it, forward, backward and update
  step_flops: float
  bytes: int  # an upper bound of its memory, without the data set
  evaluations: int  # of each network in training

  @property
  def networks(self) -> int:
    """How many networks it trains."""
    return sum(self.parts)

  @property
  def flops(self) -> float:
    """Operations of all training steps."""
    return self.step_flops * self.spec["steps"] * self.networks


class Estimate(NamedTuple):
  """About how many seconds a run takes."""

  timing: timing.Timing  # what was measured, on random images
  timed: int  # which program was
  compilation: float  # as long for each program as for that one
  training: float  # by its rate, and of other programs by their operations
  evaluation: float  # likewise

  @property
  def seconds(self) -> float:
    """Of all."""
    return self.compilation + self.training + self.evaluation


class DryRun(NamedTuple):
  """What a run of a config would be."""

  # the specification of each arm, at its first point
  arms: Mapping[str, Mapping[str, Any]]
  # of each arm, the values that its points set, by dotted field
  axes: Mapping[str, Mapping[str, tuple[Any, ...]]]
  programs: tuple[Program, ...]  # all that would be compiled
  data_bytes: int  # of the data sets on the device
  estimate: Estimate | None  # of the time; None if nothing was timed


def estimate(
  config: Mapping[str, Any],
  *,
  rules: Rules | None = None,
  data_dir: str | None = None,
  networks: Sequence[Network] | None = None,
  timed: bool = True,
) -> DryRun:
  """Checks a config as `experiment.run` would, and says what the run would be.

  Arguments are as there. If `timed`, the program with most to do is compiled
  and trained for a few steps, which takes some seconds.

  Raises:
    UserError: the config is wrong.
  """
  config = complete(config)
  prepared = experiment.prepare(config, rules, data_dir, networks)
  programs = tuple(_program(program) for program in prepared)
  arms: dict[str, Mapping[str, Any]] = {}
  axes: dict[str, dict[str, dict[str, Any]]] = {}
  for program in prepared:
    for part in program.parts:
      for network in part.networks:
        arms.setdefault(network.arm, network.spec)
        own = axes.setdefault(network.arm, {})
        for field, value in network.point.items():
          own.setdefault(field, {})[repr(value)] = value
  sets = {str(p.parts[0].spec["dataset"]): data_bytes(p) for p in prepared}
  return DryRun(
    arms={arm: arms[arm] for arm in config["arms"] if arm in arms},
    axes={
      arm: {field: tuple(found.values()) for field, found in own.items()}
      for arm, own in axes.items()
    },
    programs=programs,
    data_bytes=sum(sets.values()),
    estimate=_time(prepared, programs) if timed else None,
  )


def _program(program: Checked) -> Program:
  """Counts by shapes alone: nothing is computed, compiled or read."""
  parts, task, state = program.parts, program.task, program.state
  networks = [network for part in parts for network in part.networks]
  spec, counts = parts[0].spec, tuple(len(part.networks) for part in parts)
  with wide(spec):
    key = jax.eval_shape(lambda: jax.random.key(0))
    lowered = jax.jit(
      lambda state, key, batch: train_step(task, state, key, batch)
    ).lower(state, key, program.batch)
    cost: Any = lowered.cost_analysis() or {}
  return Program(
    arms=tuple(dict.fromkeys(network.arm for network in networks)),
    spec=spec,
    fields=tuple(dict.fromkeys(f for part in parts for f in part.hyper)),
    parts=counts,
    parameters=sum(math.prod(x.shape) for x in jax.tree.leaves(state.params)),
    step_flops=float(cost.get("flops", math.nan)),
    bytes=program.need.together(max(counts), program.across),
    evaluations=_evaluations(spec),
  )


def _evaluations(spec: Mapping[str, Any]) -> int:
  """How often the validation and test set are evaluated."""
  if listed := spec["evaluate_at"]:
    return len({step for step in listed if step < spec["steps"]}) + 1
  return -(-int(spec["steps"]) // int(spec["eval_every"])) + 1


def data_bytes(program: Checked) -> int:
  """Of the data set, all splits."""
  known, spec = program.data, program.parts[0].spec
  examples = known.train + known.validation + known.test
  kind = known.dtype
  if kind != "uint8":
    kind = jnp.dtype(PRECISIONS[spec["precision"]].params).name
  each = math.prod(known.image_shape) * jnp.dtype(kind).itemsize + 4
  return examples * each


def _time(prepared: list[Checked], programs: tuple[Program, ...]) -> Estimate:
  most = max(range(len(programs)), key=lambda i: programs[i].flops)
  base = programs[most]
  measured = timing.measure(prepared[most], base.step_flops)
  training = evaluation = 0.0
  for p in programs:
    scale = p.step_flops / base.step_flops
    training += measured.step_seconds * p.networks * p.spec["steps"] * scale
    # An evaluation does less with each example than a step, alike for all.
    size = p.spec["batch_size"] / base.spec["batch_size"]
    each = measured.evaluation_seconds * p.evaluations * scale / size
    evaluation += p.networks * each
  compilation = measured.compile_seconds * len(programs)
  return Estimate(measured, most, compilation, training, evaluation)
