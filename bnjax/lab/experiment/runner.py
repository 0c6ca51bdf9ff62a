"""Trains the networks of one group and yields their records."""

import functools
import math
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import jax
import numpy as np

from bnjax.lab import probes
from bnjax.lab.config import make_task
from bnjax.lab.errors import UserError
from bnjax.lab.experiment.clock import Clock
from bnjax.lab.experiment.plan import Group, replace
from bnjax.lab.experiment.recorder import Kept, Recorder, Row
from bnjax.lab.models.norms import FROZEN
from bnjax.lab.train.feed import Feed, Networks
from bnjax.lab.train.observe import observe
from bnjax.lab.train.precision import PRECISIONS
from bnjax.lab.train.program import (
  Across,
  Evaluation,
  Program,
  make_program,
)
from bnjax.lab.train.sharding import Layout
from bnjax.lab.train.state import TrainState, from_arrays
from bnjax.lab.train.step import Task

# Steps in one call of the program, at most: a run that is asked to stop, or to
# save, does so between two calls.
_LONGEST = 500


class State(NamedTuple):
  """All that changes while a part is trained, one tree."""

  step: int
  train: TrainState
  kept: Kept  # between rows
  seconds: dict[str, np.ndarray]  # see `Clock`


class Records(NamedTuple):
  """What a group has to tell after some steps, if anything."""

  step: int  # steps done
  rows: list[Row]  # for metrics.jsonl
  probe_rows: list[Row]  # for probes.jsonl
  # `[networks, n, classes]` of the test set, at the end and if asked for
  probabilities: np.ndarray | None
  variables: Any  # parameters and statistics of the networks, likewise
  # all that `Trainer.train` needs to go on from here, until the next records
  # are asked for
  state: State


class Source(NamedTuple):
  """What a task needs to know of a data set, and what hands out examples."""

  num_classes: int
  mean: float  # of its pixels
  feed: Feed


class Trainer:
  """The compiled program of a group, for all of its parts."""

  def __init__(
    self,
    group: Group,
    source: Source,
    layout: Layout,
    task: Task,
    across: Across = "vmap",
  ):
    """Compiles nothing yet."""
    self.source = source
    self.layout = layout
    chosen = probes.make_probes(group.spec["probes"])
    self.program: Program = make_program(
      functools.partial(_task, group.spec, source, task),
      image_shape=source.feed.image_shape,
      across=across,
      layout=layout,
      observe=functools.partial(observe, chosen) if chosen else None,
    )
    self._compiled: dict[tuple[int, int], Any] = {}
    self._compile_seconds = np.zeros(3)  # of the part that was trained first

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
    begun: np.ndarray | None = None,
    resume: Any = None,
  ) -> Iterator[Records]:
    """Trains the networks of a part of the group.

    Args:
      group: the part.
      begun: what this process took until it could train, see `spent`; None
        is nothing.
      resume: the arrays of a `State`, to go on from there.

    Yields:
      The records of step 0, then those of every call of the program.
    """
    spec, networks = group.spec, group.networks
    program, place = self.program, self.layout.place
    feed = self.source.feed
    recorder = Recorder(group)
    begun = np.zeros(3) if begun is None else begun
    clock = Clock(len(networks), begun, streamed=spec["stream"])
    dtype = PRECISIONS[spec["precision"]].params
    hyper = {
      field: place(np.asarray(values, dtype))
      for field, values in group.hyper.items()
    }
    own_seeds = [network.seed for network in networks]
    seeds = sorted(set(own_seeds))
    which = place(np.asarray([seeds.index(s) for s in own_seeds], np.int32))
    keys = jax.vmap(jax.random.key)(place(np.asarray(seeds, np.uint32)))
    longest = min(_LONGEST, feed.steps_at_once(spec, len(seeds)))
    fed = Networks(seeds, keys, which)
    population = feed.population(spec, fed)
    batch = None
    if spec["probes"]:
      batch = feed.first_examples(spec["probe_examples"], spec["probe_split"])
    begin = place(np.asarray(own_seeds, np.uint32))
    with clock.charge("compile"):
      if resume is None:
        done, states = 0, program.init(hyper, begin)
        if spec["norm"]["name"] == FROZEN and population is not None:
          states = program.with_population(
            hyper, states, population.train, population.draws, which
          )
      else:
        like = jax.eval_shape(program.init, hyper, begin)
        whole = State(0, like, recorder.kept, clock.seconds)
        try:
          found = from_arrays(whole, resume)
        except ValueError as error:
          raise UserError(
            "--workdir: its checkpoint is of another version's networks "
            f"({error}); remove it to start afresh"
          ) from error
        done, states = int(found.step), place(found.train)
        recorder.kept = found.kept
        clock.seconds |= found.seconds

    def records(step: int) -> Records:
      rows, probe_rows, every, variables = [], [], None, None
      last = step == spec["steps"]
      with clock.charge("evaluate" if step else "compile"):
        listed = last or step in spec["evaluate_at"]
        if listed or step % spec["eval_every"] == 0:
          if listed or not spec["evaluate_at"]:
            found = feed.evaluate(program, hyper, states, population, which)
          else:
            norms = jax.device_get(program.norms(states))
            found = Evaluation(None, None, None, None, norms)
          rows = recorder.rows(step, found)
        if batch is not None and (last or step % _probe_every(spec) == 0):
          observed = program.observe(hyper, states, batch)
          probe_rows = recorder.probe_rows(step, jax.device_get(observed))
        if spec["predictions"] and last:
          every = feed.probabilities(program, hyper, states)
        if spec["save_params"] and last:
          variables = jax.device_get(
            {"params": states.params, "batch_stats": states.batch_stats}
          )
      compilation = clock.seconds["compile"]
      self._compile_seconds = np.maximum(self._compile_seconds, compilation)
      times = clock.shares(step, self._compile_seconds)
      rows = [row | times for row in rows]
      state = State(step, states, recorder.kept, clock.seconds)
      return Records(step, rows, probe_rows, every, variables, state)

    if resume is None:
      yield records(0)
    size = _chunk(spec, longest)
    chunks = feed.chunks(spec, fed, size, done)
    while True:
      with clock.charge("input"):
        chunk = next(chunks, None)
      if chunk is None:
        return
      first, train, draws = chunk
      arguments = (hyper, states, train, draws, which)
      steps = draws.dropout_keys.shape[0]
      count = place(np.int32(first))
      with clock.charge("compile"):
        advance = self.advance(len(networks), steps, *arguments, count)
      with clock.charge("train"):
        states, training = advance(*arguments, count)
        recorder.trained(steps, jax.device_get(training))
      yield records(first + steps)


def _task(
  spec: Mapping[str, Any],
  source: Source,
  first: Task,
  hyper: Mapping[str, Any],
) -> Task:
  """The task of one network: the first one's, or with values of its own."""
  if not hyper:
    centered = spec["dataset"]["center"]
    return first._replace(pixel_mean=source.mean if centered else 0.0)
  for field, value in hyper.items():
    spec = replace(spec, field, value)
  return make_task(spec, num_classes=source.num_classes, pixel_mean=source.mean)


def _probe_every(spec: Mapping[str, Any]) -> int:
  return spec["probe_every"] or spec["eval_every"]


def _chunk(spec: Mapping[str, Any], longest: int) -> int:
  """Steps in one call of the program: they end where something is recorded."""
  every = spec["eval_every"]
  if spec["probes"]:
    every = math.gcd(every, _probe_every(spec))
  every = math.gcd(every, *spec["evaluate_at"])
  every = min(every, max(spec["steps"], 1))
  fits = lambda steps: steps <= longest and every % steps == 0
  best = next(filter(fits, range(every, 0, -1)))
  # A prime number of steps in one call, rather than one by one, if they fit.
  return every if best < longest // 10 and not spec["stream"] else best
