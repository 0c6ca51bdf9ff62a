"""Runs a config: data, models, training of every arm and seed, records.

Everything that can be wrong with a config is found before data is read, but
for data sets from outside, or a file is written.
"""

import collections
import contextlib
import functools
import itertools
import json
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from bnjax.lab import data, registry, results, signals
from bnjax.lab.config import complete, resolve_arms
from bnjax.lab.errors import UserError
from bnjax.lab.experiment import locks, params, plan, processes, workdirs
from bnjax.lab.experiment.environment import (
  describe_environment,
  process_seconds,
)
from bnjax.lab.experiment.journal import Journal
from bnjax.lab.experiment.metrics import recorded
from bnjax.lab.experiment.plan import Group, Network
from bnjax.lab.experiment.progress import Progress, of_training
from bnjax.lab.experiment.runner import Records, Source, Trainer
from bnjax.lab.experiment.validation import (
  Checked,
  check_program,
  wide,
)
from bnjax.lab.train.feed import Feed, FromFiles, FromMemory
from bnjax.lab.train.program import Across
from bnjax.lab.train.sharding import Layout
from bnjax.lab.writers import check as check_writers, open_writers


def run(
  config: Mapping[str, Any],
  workdir: str | Path,
  *,
  rules: results.Rules | None = None,
  again: bool = True,
  overwrite: bool = False,
  data_dir: str | None = None,
  checkpoint_seconds: float = 60.0,
  mesh: str | None = None,
  writers: Sequence[str] = (),
  report_progress: Callable[[Progress], None] = lambda progress: None,
  networks: Sequence[Network] | None = None,
) -> dict[str, Any]:
  """Trains every arm of `config` and leaves the records in `workdir`.

  A run that was stopped goes on from its last checkpoint and ends as if it had
  not been. Where there are several processes, each calls this alike, and the
  first one reads and writes files.

  Args:
    config: a ConfigDict or nested dicts, with fields of
      `bnjax.lab.config.base()`; those that it lacks are at their defaults.
    workdir: gets config.json, rules.json, environment.json, metrics.jsonl,
      summary.json, and probes.jsonl, predictions.jsonl and params/ where the
      config asks for them. Records of a finished run of the same config are
      replaced; another config is refused. Rules, and what the machine allows
      (`config.machine`), may differ.
    rules: how it is judged and what its report shows; None for the usual
      report, under the work directory's name.
    again: whether a finished run is trained again; otherwise its records stay.
    overwrite: remove whatever run there is in `workdir` first, be it stopped,
      damaged or of another config.
    data_dir: where prepared data sets are, see `bnjax.lab.data.load`.
    checkpoint_seconds: between checkpoints; 0: none, a stopped run starts
      afresh. So does one that times its arms (`config.interleave`).
    mesh: as `bnjax.lab.experiment.processes.layout` takes it.
    writers: names in `bnjax.lab.writers.WRITERS`, told of every row.
    report_progress: called with a `Progress` now and then.
    networks: those to train; all of the config's if None.

  Returns:
    The summary, as in summary.json; {} but in the first process.

  Raises:
    UserError: the config is wrong, the data set cannot be read, or `workdir`
      is not to be written to; nothing has been written then. Or it cannot be
      written to any longer.
    signals.Preempted: the process was asked to stop, and has saved what it had.
  """
  workdir = Path(workdir)
  check_writers(writers)
  registry.check_value(
    "checkpoint_seconds", checkpoint_seconds, registry.NotNegative
  )
  config = complete(config)
  if rules is None:
    rules = results.Rules(title=workdir.resolve().name.replace("_", " "))
  programs = prepare(config, rules, data_dir, networks)
  arms = resolve_arms(config)
  layout = processes.layout(mesh)
  first = processes.is_first()
  if first:
    workdirs.check(workdir, config, arms, overwrite=overwrite)
  tell = lambda message: report_progress(Progress("", 0, 1, message))
  notify = lambda line: report_progress(
    Progress("", 0, 1, f"note: {line}", notice=True)
  )
  kept = not (again or overwrite)
  done = first and kept and (workdir / "summary.json").exists()
  if processes.any_of(done):
    notify("it was finished before, and nothing is trained again")
    return workdirs.read_summary(workdir) if first else {}
  loader = _Loader(data_dir, layout, config["machine"]["workers"])
  for program in programs:
    loader.load(program.parts[0].spec, tell)
  environment = describe_environment() | {
    "datasets": [dataset.describe() for dataset in loader.datasets.values()]
  }
  timed = config["interleave"]
  saves = checkpoint_seconds and not timed
  later = "goes on from the last checkpoint" if saves else "starts afresh"
  with contextlib.ExitStack() as stack:
    stack.enter_context(processes.together(later))
    same = ("bnjax", "jax", "commit", "datasets")
    known = {name: environment[name] for name in same}
    processes.agree(results.to_strict({"config": config, "arms": arms} | known))
    saved = None
    if first:
      check = stack.enter_context(locks.hold(workdir, notify))
      if overwrite:
        workdirs.clear(workdir)
      journal = Journal(workdir, 0 if timed else checkpoint_seconds, check)
      saved = journal.begin(config, arms, rules, environment, notify)
    saved, at = processes.share(saved), 0
    if saved is not None:
      programs, at = _as_begun(programs, saved.position)
      tell(f"going on from step {saved.state['part']['step']} of part {at + 1}")
    parts = [part for program in programs for part in program.parts]
    trained = [network for part in parts for network in part.networks]
    name = workdir.resolve().name
    told = writers if first else ()
    writer = open_writers(told, workdir, name, trained, notify=notify)
    stack.callback(writer.close)
    asked = stack.enter_context(signals.watch())
    resume = None if saved is None else saved.state["part"]
    across = config["machine"]["across"]
    jobs = _jobs(programs, loader, timed, at, resume, across)
    for job, records in _take_turns(jobs, together=timed):
      stop = processes.any_of(asked())
      if first:
        journal.add(job.networks, records)
        if stop or journal.due():
          every = [part.networks for part in parts]
          journal.save(job.networks, every, records)
        writer.rows(records.rows)
        writer.probe_rows(records.probe_rows)
      report_progress(_progress(job, records, len(parts)))
      if stop:
        raise signals.Preempted(
          f"stopped as asked, at step {records.step} of "
          f"{', '.join(_arms(job.networks))}; the same command "
          + ("without --overwrite " if overwrite else "")
          + ("goes on from there" if saves else "starts afresh")
        )
    if not first:
      return {}
    return journal.finish(*loader.test_set(parts[0].spec))


def prepare(
  config: Mapping[str, Any],
  rules: results.Rules | None = None,
  data_dir: str | None = None,
  networks: Sequence[Network] | None = None,
) -> list[Checked]:
  """All that is to be trained, checked: the programs in order.

  Args:
    config: of `bnjax.lab.config.complete`.
    rules: as for `run`.
    data_dir: likewise.
    networks: likewise.

  Raises:
    UserError: something is wrong with the config, or a rule asks for what the
      run will not have.
  """
  networks = plan.networks(config) if networks is None else networks
  programs = [
    check_program(group, config["machine"], data_dir)
    for group in plan.groups(networks)
  ]
  specs = {network.arm: network.spec for network in networks}
  _check_rules(rules or results.Rules(), config, recorded(specs.values()))
  return programs


def _check_rules(
  rules: results.Rules, config: Mapping[str, Any], metrics: Collection[str]
) -> None:
  place = ""
  try:
    results.check_rules(rules, config, metrics)
    for name, figure in rules.figures.items():
      if isinstance(figure, results.Custom):
        place = f"figures.{name}: "
        registry.bound(figure.function, figure.arguments())
  except ValueError as error:
    raise UserError(f"rules: {place}{error}") from None


class _Loader:
  """Loads each data set once, and puts it on the device once a precision."""

  def __init__(self, data_dir: str | None, layout: Layout, workers: int):
    self._data_dir = data_dir
    self._workers = workers
    self.layout = layout
    self._sources: dict[str, Source] = {}
    self.datasets: dict[str, data.Dataset | data.Files] = {}

  def load(
    self,
    spec: Mapping[str, Any],
    tell: Callable[[str], None] = lambda message: None,
  ) -> data.Dataset | data.Files:
    fields = {k: v for k, v in spec["dataset"].items() if k != "center"}
    key = json.dumps([fields, spec["stream"]], sort_keys=True)
    if key not in self.datasets:
      tell(f"reading {fields['name']}")
      read = data.open_files if spec["stream"] else data.load
      self.datasets[key] = read(**fields, data_dir=self._data_dir)
    return self.datasets[key]

  def source(self, spec: Mapping[str, Any]) -> Source:
    """What trains on the data set."""
    found = self.load(spec)
    key = json.dumps([found.describe(), spec["precision"]], sort_keys=True)
    if key not in self._sources:
      if isinstance(found, data.Files):
        feed: Feed = FromFiles(found, self.layout, self._workers)
        classes = found.spec.num_classes
      else:
        feed, classes = FromMemory(found, self.layout), found.num_classes
      self._sources[key] = Source(classes, found.mean, feed)
    return self._sources[key]

  def test_set(
    self, spec: Mapping[str, Any]
  ) -> tuple[np.ndarray, np.ndarray | None]:
    """Labels and, if they are in memory, images."""
    found = self.load(spec)
    if isinstance(found, data.Files):
      return found.labels("test"), None
    return found.test.labels, found.test.images


class _Job(NamedTuple):
  """A part of the run: networks that are trained together, and how."""

  part: int
  networks: tuple[Network, ...]
  records: Iterator[Records]


def _as_begun(
  programs: Sequence[Checked], position: Mapping[str, Any]
) -> tuple[list[Checked], int]:
  """The same networks in the parts that a stopped run began with.

  Its checkpoint is of one of these, and more or less memory is allowed now.

  Args:
    programs: what is to be trained.
    position: of the checkpoint; it names the networks of each part.

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


def _jobs(
  programs: Sequence[Checked],
  loader: _Loader,
  interleave: bool,
  at: int,
  resume: Any,
  across: Across,
) -> list[_Job]:
  """What is still to be trained, in order.

  The parts of a program share what is compiled: in the turn of the first one.

  Args:
    programs: all of them.
    loader: of the data sets.
    interleave: whether the programs alternate.
    at: number of the part to go on with.
    resume: its state; None: from its beginning.
    across: how the networks of a program are run.
  """
  begun = process_seconds()
  number = itertools.count()
  jobs = []
  for program in programs:
    trainer = functools.cache(
      lambda group=program.parts[0], task=program.task: Trainer(
        group,
        loader.source(group.spec),
        loader.layout,
        task=task,
        across=across,
      )
    )
    for turn, part in enumerate(program.parts):
      if (i := next(number)) < at:
        continue
      own = resume if i == at else None
      records = _records(part, trainer, begun, own)
      jobs.append((turn, _Job(i, part.networks, records)))
  if interleave:  # first parts first, so that programs alternate
    jobs.sort(key=lambda pair: pair[0])
  return [job for _, job in jobs]


def _records(
  part: Group,
  trainer: Callable[[], Trainer],
  begun: float,
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


def _take_turns(
  jobs: Sequence[_Job], *, together: bool
) -> Iterator[tuple[_Job, Records]]:
  """One job after the other, or each a record at a time in turn."""
  waiting = collections.deque(jobs)
  while waiting:
    job = waiting.popleft()
    records = next(job.records, None)
    if records is None:
      continue
    yield job, records
    if together:
      waiting.append(job)
    else:
      waiting.appendleft(job)


def _progress(job: _Job, records: Records, parts: int) -> Progress:
  return of_training(
    job.networks, records.step, records.rows, part=job.part, parts=parts
  )


def _arms(networks: Sequence[Network]) -> list[str]:
  return list(dict.fromkeys(network.arm for network in networks))
