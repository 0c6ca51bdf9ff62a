"""What a feed hands out: all that the compiled program takes."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import jax
import numpy as np

from bnjax.lab.train.draw import Draws
from bnjax.lab.train.program import Evaluation, Program
from bnjax.lab.train.step import Batch


class Networks(NamedTuple):
  """The networks of one program, which share their examples.

  Attributes:
    seeds: the distinct ones.
    keys: theirs.
    which: `[networks]`, whose seed is each network's.
  """

  seeds: Sequence[int]
  keys: jax.Array
  which: jax.Array


class Chunk(NamedTuple):
  """What one call of the program trains on.

  Attributes:
    first: number of its first step.
    train: the training set; None where the draws hold the minibatches.
    draws: of its steps.
  """

  first: int
  train: Batch | None
  draws: Draws


class Feed(Protocol):
  """Hands out examples."""

  image_shape: tuple[int, ...]

  def steps_at_once(self, spec: Mapping[str, Any], networks: int) -> int:
    """How many steps of that many seeds one chunk may have."""
    ...

  def chunks(
    self, spec: Mapping[str, Any], fed: Networks, steps: int, done: int
  ) -> Iterator[Chunk]:
    """Chunks of that many steps, from step `done` to the end."""
    ...

  def population(self, spec: Mapping[str, Any], fed: Networks) -> Chunk | None:
    """Algorithm 2's minibatches: the same at every evaluation."""
    ...

  def evaluate(
    self,
    program: Program,
    hyper: Any,
    states: Any,
    population: Chunk | None,
    which: jax.Array,
  ) -> Evaluation:
    """Sums over both held-out splits."""
    ...

  def probabilities(
    self, program: Program, hyper: Any, states: Any
  ) -> np.ndarray:
    """`[networks, n, classes]` of the test set."""
    ...

  def first_examples(self, count: int) -> Batch:
    """The first examples of the training set."""
    ...
