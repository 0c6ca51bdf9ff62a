"""Trains the networks of one group and yields their records."""

import functools
import math
import time
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from bnjax import data, probes
from bnjax.build import make_task
from bnjax.data.batches import SAMPLERS
from bnjax.plan import Group, replace
from bnjax.recorder import Recorder, Row
from bnjax.train.draw import Draws, draw, draw_in_chunks
from bnjax.train.images import as_words, take
from bnjax.train.program import Program, Splits, make_program
from bnjax.train.state import TrainState
from bnjax.train.step import (
  POPULATION,
  PROBES,
  Batch,
  Task,
  add_l2,
  preprocess,
)


class Records(NamedTuple):
  """What a group has to tell at one step.

  Attributes:
    step: steps done.
    rows: for metrics.jsonl.
    probe_rows: for probes.jsonl.
    probabilities: `[networks, n, classes]` of the test set, at the end and if
      asked for.
  """

  step: int
  rows: list[Row]
  probe_rows: list[Row]
  probabilities: np.ndarray | None = None


class Source(NamedTuple):
  """A data set, on the host and on the device."""

  dataset: data.Dataset
  splits: Splits


def to_device(dataset: data.Dataset) -> Source:
  """The data set on the default device, uint8 images a byte a pixel."""
  train = Batch(
    jnp.asarray(as_words(dataset.train.images)),
    jnp.asarray(dataset.train.labels),
  )
  held_out = (
    Batch(jnp.asarray(split.images), jnp.asarray(split.labels))
    for split in (dataset.validation, dataset.test)
  )
  return Source(dataset, Splits(train, *held_out))


class Trainer:
  """The compiled program of a group, for all of its parts."""

  def __init__(self, group: Group, source: Source):
    self.source = source
    self.image_shape = source.dataset.train.images.shape[1:]
    chosen = probes.make_probes(group.spec["probes"])
    self.program: Program = make_program(
      functools.partial(_task, group.spec, source.dataset),
      image_shape=self.image_shape,
      across=group.spec["across"],
      observe=functools.partial(_observe, chosen) if chosen else None,
    )
    self._compiled: dict[tuple[int, int], Any] = {}
    self._compile_seconds = 0.0  # of the part that was trained first

  def advance(self, networks: int, steps: int, *arguments: Any) -> Any:
    """`Program.advance` for these sizes, compiled once."""
    key = networks, steps
    if key not in self._compiled:
      lowered = self.program.advance.lower(*arguments)
      self._compiled[key] = lowered.compile()
    return self._compiled[key]

  def train(self, group: Group, *, begun: float = 0.0) -> Iterator[Records]:
    """Trains the networks of a part of the group.

    Args:
      group: the part.
      begun: seconds that this process took until it could train.

    Yields:
      The records of step 0 and of every step at which something is recorded.
    """
    spec, networks = group.spec, group.networks
    program, source = self.program, self.source
    recorder, clock = Recorder(group), _Clock(len(networks), begun)
    hyper = {
      field: jnp.asarray(values, jnp.float32)
      for field, values in group.hyper.items()
    }
    own_seeds = [network.seed for network in networks]
    seeds = sorted(set(own_seeds))
    which = jnp.asarray([seeds.index(seed) for seed in own_seeds], jnp.int32)
    keys = jax.vmap(jax.random.key)(jnp.asarray(seeds, jnp.uint32))
    how = {
      "sampler": SAMPLERS[spec["sampler"]],
      "size": len(source.dataset.train),
      "batch_size": spec["batch_size"],
    }
    population = _population(spec, keys, how)
    batch = self._probe_batch(spec)
    with clock.charge("compile"):
      states = program.init(hyper, jnp.asarray(own_seeds, jnp.uint32))

    def records(step: int) -> Records:
      rows, probe_rows, every = [], [], None
      last = step == spec["steps"]
      with clock.charge("evaluate" if step else "compile"):
        if last or step % spec["eval_every"] == 0:
          rows = recorder.rows(
            step,
            jax.device_get(
              program.evaluate(hyper, states, source.splits, population, which)
            ),
          )
        if batch is not None and (last or step % _probe_every(spec) == 0):
          observed = program.observe(hyper, states, batch)
          probe_rows = recorder.probe_rows(step, jax.device_get(observed))
        if spec["predictions"] and last:
          images = source.splits.test.images
          every = np.asarray(program.probabilities(hyper, states, images))
      self._compile_seconds = max(self._compile_seconds, clock.compile)
      times = clock.shares(step, self._compile_seconds)
      return Records(step, [row | times for row in rows], probe_rows, every)

    yield records(0)
    size = min(_chunk(spec), max(spec["steps"], 1))
    for first, draws in draw_in_chunks(keys, spec["steps"], size, **how):
      arguments = (hyper, states, source.splits.train, draws, which)
      steps = draws.dropout_keys.shape[0]
      with clock.charge("compile"):
        advance = self.advance(
          len(networks), steps, *arguments, jnp.int32(first)
        )
      with clock.charge("train"):
        states, training = advance(*arguments, jnp.int32(first))
        recorder.trained(steps, jax.device_get(training))
      if (
        any(
          (first + steps) % every == 0
          for every in (spec["eval_every"], _probe_every(spec))
        )
        or first + steps == spec["steps"]
      ):
        yield records(first + steps)

  def _probe_batch(self, spec: Mapping[str, Any]) -> Batch | None:
    if not spec["probes"]:
      return None
    train = self.source.splits.train
    rows = jnp.arange(min(spec["probe_examples"], len(train.labels)))
    images = take(train.images, rows, self.image_shape)
    return Batch(images, train.labels[rows])


def _task(
  spec: Mapping[str, Any], dataset: data.Dataset, hyper: Mapping[str, Any]
) -> Task:
  """The task of one network, its own values in place."""
  for field, value in hyper.items():
    spec = replace(spec, field, value)
  return make_task(
    spec, num_classes=dataset.num_classes, pixel_mean=dataset.mean
  )


def _observe(chosen: Any, task: Task, state: TrainState, batch: Batch) -> Any:
  """Runs the probes on a batch as in training; the state stays as it is."""

  def loss_fn(outputs: Any) -> jax.Array:
    sums = task.loss(outputs, batch.labels, None)
    return sums.loss / sums.examples

  def update_fn(gradient: Any) -> Any:
    whole = add_l2(task, gradient, state.params)
    return task.optimizer.update(whole, state.opt_state, state.params)[0]

  return probes.run_probes(
    chosen,
    task.model,
    {"params": state.params, "batch_stats": state.batch_stats},
    preprocess(task, batch.images),
    loss_fn=loss_fn,
    update_fn=update_fn,
    train=True,
    rngs={"dropout": jax.random.fold_in(state.key, PROBES)},
  )


def _population(
  spec: Mapping[str, Any], keys: jax.Array, how: Mapping[str, Any]
) -> Draws | None:
  """Algorithm 2's minibatches of every seed: the same at every evaluation."""
  if not spec["population_batches"] or not _has_statistics(spec):
    return None
  folded = jax.vmap(lambda key: jax.random.fold_in(key, POPULATION))(keys)
  steps = spec["population_batches"]
  return draw(folded, jnp.int32(0), steps=steps, **how)


def _has_statistics(spec: Mapping[str, Any]) -> bool:
  return spec["norm"]["name"] in ("batch_norm", "flax_batch_norm")


def _probe_every(spec: Mapping[str, Any]) -> int:
  return spec["probe_every"] or spec["eval_every"]


def _chunk(spec: Mapping[str, Any]) -> int:
  """Steps in one call of the program: up to the next record, at most."""
  if not spec["probes"]:
    return spec["eval_every"]
  return math.gcd(spec["eval_every"], _probe_every(spec))


class _Clock:
  """What a network took: its share of its program's seconds, by name."""

  def __init__(self, networks: int, begun: float):
    self._networks = networks
    self._begun = begun
    self._seconds = {"compile": 0.0, "train": 0.0, "evaluate": 0.0}
    self._name, self._start = "", 0.0

  def charge(self, name: str) -> "_Clock":
    """A context whose duration goes to `name`."""
    self._name = name
    return self

  def __enter__(self) -> None:
    self._start = time.perf_counter()

  def __exit__(self, *error: object) -> None:
    self._seconds[self._name] += time.perf_counter() - self._start

  @property
  def compile(self) -> float:
    """Seconds of compilation, those of the first call of each function."""
    return self._seconds["compile"]

  def shares(self, step: int, compilation: float) -> dict[str, float]:
    """Fields of a row after some steps of training.

    `step_seconds` is the mean time of one network's step, `process_seconds`
    what a process would take that trained this program's networks alone.

    Args:
      step: how many steps.
      compilation: seconds of the program's, whichever part it was done for.
    """
    shares = {
      f"{name}_seconds": seconds / self._networks
      for name, seconds in self._seconds.items()
    }
    own = self._seconds["train"] + self._seconds["evaluate"]
    total = self._begun + compilation + own
    each = {"step_seconds": shares["train_seconds"] / step} if step else {}
    return shares | each | {"process_seconds": total}
