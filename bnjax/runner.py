"""Trains the networks of one group and yields their records."""

import functools
import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from bnjax import data, probes
from bnjax.build import make_task
from bnjax.clock import Clock
from bnjax.data.batches import SAMPLERS
from bnjax.plan import Group, replace
from bnjax.recorder import Recorder, Row
from bnjax.train.draw import Draws, draw, draw_in_chunks
from bnjax.train.images import as_words, take
from bnjax.train.program import Program, Splits, make_program
from bnjax.train.sharding import Layout
from bnjax.train.state import TrainState, from_arrays, to_arrays
from bnjax.train.step import (
  POPULATION,
  PROBES,
  Batch,
  Task,
  add_l2,
  preprocess,
  working_variables,
)

# Steps in one call of the program, at most: a run that is asked to stop, or to
# save, does so between two calls.
_LONGEST = 500

Arrays = dict[str, np.ndarray]


class Records(NamedTuple):
  """What a group has to tell after some steps, if anything.

  Attributes:
    step: steps done.
    rows: for metrics.jsonl.
    probe_rows: for probes.jsonl.
    probabilities: `[networks, n, classes]` of the test set, at the end and if
      asked for.
    variables: parameters and statistics of the networks, likewise.
    snapshot: gives all that `Trainer.train` needs to go on from here; to be
      called before the next records are asked for.
  """

  step: int
  rows: list[Row]
  probe_rows: list[Row]
  probabilities: np.ndarray | None
  variables: Any
  snapshot: Callable[[], Arrays]


class Source(NamedTuple):
  """A data set, on the host and on the device."""

  dataset: data.Dataset
  splits: Splits


def to_device(dataset: data.Dataset, layout: Layout) -> Source:
  """The data set on every device, uint8 images a byte a pixel."""
  train, *held_out = dataset.train, dataset.validation, dataset.test
  images = [as_words(train.images), *(split.images for split in held_out)]
  labels = [split.labels for split in (train, *held_out)]
  on_device = layout.place((images, labels))
  splits = Splits(*map(Batch, *on_device))
  return Source(dataset, splits)


class Trainer:
  """The compiled program of a group, for all of its parts."""

  def __init__(self, group: Group, source: Source, layout: Layout):
    self.source = source
    self.layout = layout
    self.image_shape = source.dataset.train.images.shape[1:]
    chosen = probes.make_probes(group.spec["probes"])
    self.program: Program = make_program(
      functools.partial(_task, group.spec, source.dataset),
      image_shape=self.image_shape,
      across=group.spec["across"],
      layout=layout,
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

  def train(
    self,
    group: Group,
    *,
    begun: float = 0.0,
    resume: Mapping[str, np.ndarray] | None = None,
  ) -> Iterator[Records]:
    """Trains the networks of a part of the group.

    Args:
      group: the part.
      begun: seconds that this process took until it could train.
      resume: what a snapshot gave, to go on from there.

    Yields:
      The records of step 0, then those of every call of the program.
    """
    spec, networks = group.spec, group.networks
    program, source, place = self.program, self.source, self.layout.place
    recorder, clock = Recorder(group), Clock(len(networks), begun)
    hyper = {
      field: place(np.asarray(values, np.float32))
      for field, values in group.hyper.items()
    }
    own_seeds = [network.seed for network in networks]
    seeds = sorted(set(own_seeds))
    which = place(np.asarray([seeds.index(s) for s in own_seeds], np.int32))
    keys = jax.vmap(jax.random.key)(place(np.asarray(seeds, np.uint32)))
    how = {
      "sampler": SAMPLERS[spec["sampler"]],
      "size": len(source.dataset.train),
      "batch_size": spec["batch_size"],
    }
    population = _population(spec, keys, how)
    batch = self._probe_batch(spec)
    begin = place(np.asarray(own_seeds, np.uint32))
    done = 0
    with clock.charge("compile"):
      if resume is None:
        states = program.init(hyper, begin)
      else:
        done = int(resume["step"])
        recorder.set_arrays(resume)
        clock.set_arrays(resume)
        like = jax.eval_shape(program.init, hyper, begin)
        states = place(from_arrays(like, resume))

    def snapshot(step: int, states: TrainState) -> Arrays:
      arrays = to_arrays(states) | recorder.to_arrays() | clock.to_arrays()
      return arrays | {"step": np.asarray(step)}

    def records(step: int) -> Records:
      rows, probe_rows, every, variables = [], [], None, None
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
        if spec["save_params"] and last:
          variables = jax.device_get(
            {"params": states.params, "batch_stats": states.batch_stats}
          )
      self._compile_seconds = max(self._compile_seconds, clock.compile)
      times = clock.shares(step, self._compile_seconds)
      rows = [row | times for row in rows]
      take = functools.partial(snapshot, step, states)
      return Records(step, rows, probe_rows, every, variables, take)

    if resume is None:
      yield records(0)
    chunks = draw_in_chunks(keys, spec["steps"], _chunk(spec), done, **how)
    for first, draws in chunks:
      arguments = (hyper, states, source.splits.train, draws, which)
      steps = draws.dropout_keys.shape[0]
      count = place(np.int32(first))
      with clock.charge("compile"):
        advance = self.advance(len(networks), steps, *arguments, count)
      with clock.charge("train"):
        states, training = advance(*arguments, count)
        recorder.trained(steps, jax.device_get(training))
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
    working_variables(task, state),
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
  """Steps in one call of the program: they end where something is recorded."""
  every = spec["eval_every"]
  if spec["probes"]:
    every = math.gcd(every, _probe_every(spec))
  every = min(every, max(spec["steps"], 1))
  for calls in range(-(-every // _LONGEST), every // 50):
    if every % calls == 0:
      return every // calls
  return every
