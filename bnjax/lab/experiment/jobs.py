"""The parts of a run, in the order in which they are trained."""

import collections
import functools
import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from bnjax.lab.errors import UserError
from bnjax.lab.experiment import params, plan
from bnjax.lab.experiment.clock import spent
from bnjax.lab.experiment.environment import process_seconds
from bnjax.lab.experiment.loader import Loader
from bnjax.lab.experiment.plan import Group, Network
from bnjax.lab.experiment.runner import Records, Trainer
from bnjax.lab.experiment.validation import Checked, wide


class Job(NamedTuple):
  """A part of the run: networks that are trained together, and how."""

  part: int
  networks: tuple[Network, ...]
  records: Iterator[Records]


def as_begun(
  programs: Sequence[Checked], position: Mapping[str, Any]
) -> tuple[list[Checked], int]:
  """The same networks in the parts that a stopped run began with.

  Its checkpoint is of one of these, and more or less memory is allowed now.

  Returns:
    The programs, and the number of the part that was in training.

  Raises:
    UserError: they are not the same networks.
  """
  parts, found = list(position["parts"]), []
  left, fits = list(parts), True
  for program in programs:
    whole = plan.join(program.parts)
    sizes: list[int] = []
    while left and sum(sizes) < len(whole.networks):
      sizes.append(len(left.pop(0)))
    fits = fits and sum(sizes) == len(whole.networks)
    found.append(program._replace(parts=tuple(whole.cut(sizes))))
  here = [params.names(part.networks) for own in found for part in own.parts]
  if not fits or here != parts or position["training"] not in here:
    raise UserError(
      "--workdir: its checkpoint is of other networks than the config's; "
      "remove it to start afresh"
    )
  return found, here.index(position["training"])


def jobs_of(
  programs: Sequence[Checked],
  loader: Loader,
  interleave: bool,
  at: int,
  resume: Any,
) -> list[Job]:
  """What is still to be trained, in order, from part `at` in state `resume` on.

  The parts of a program share what is compiled: in the turn of the first one.
  """
  begun = spent(process_seconds())
  number = itertools.count()
  jobs = []
  for program in programs:
    trainer = functools.cache(
      lambda program=program: Trainer(
        program.parts[0],
        loader.source(program.parts[0].spec),
        loader.layout,
        program.task,
        program.across,
      )
    )
    for turn, part in enumerate(program.parts):
      if (i := next(number)) < at:
        continue
      own = resume if i == at else None
      records = _records(part, trainer, begun, own)
      jobs.append((turn, Job(i, part.networks, records)))
  if interleave:  # first parts first, so that programs alternate
    jobs.sort(key=lambda pair: pair[0])
  return [job for _, job in jobs]


def _records(
  part: Group,
  trainer: Callable[[], Trainer],
  begun: np.ndarray,
  resume: Any,
) -> Iterator[Records]:
  """`Trainer.train`, each of its turns in the part's precision."""
  turns: Iterator[Records] | None = None
  while True:
    with wide(part.spec):
      turns = turns or trainer().train(part, begun=begun, resume=resume)
      records = next(turns, None)
    if records is None:
      return
    yield records


def take_turns(
  jobs: Sequence[Job], *, together: bool
) -> Iterator[tuple[Job, Records]]:
  """One job after the other, or each a record at a time in turn."""
  waiting = collections.deque(jobs)
  while waiting:
    records = next(waiting[0].records, None)
    if records is None:
      waiting.popleft()
      continue
    yield waiting[0], records
    if together:
      waiting.rotate(-1)
