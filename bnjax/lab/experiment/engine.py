"""Runs a config: data, models, training of every arm and seed, records.

Everything that can be wrong with a config is found before data is read, but
for data sets from outside, or a file is written.
"""

import contextlib
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from bnjax.lab import registry, results, signals
from bnjax.lab.config import complete, resolve_arms
from bnjax.lab.errors import UserError
from bnjax.lab.experiment import locks, plan, processes, workdirs
from bnjax.lab.experiment.environment import describe_environment
from bnjax.lab.experiment.jobs import as_begun, jobs_of, take_turns
from bnjax.lab.experiment.journal import Journal
from bnjax.lab.experiment.loader import Loader
from bnjax.lab.experiment.plan import Network
from bnjax.lab.experiment.progress import Progress, of_training
from bnjax.lab.experiment.recorder import recorded
from bnjax.lab.experiment.validation import Checked, check_program
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
  record = {"config": config, "arms": resolve_arms(config)}
  layout = processes.layout(mesh)
  first = processes.is_first()
  if first:
    workdirs.check(workdir, record, overwrite=overwrite)
  tell = lambda message: report_progress(Progress("", 0, 1, message))
  notify = lambda line: report_progress(
    Progress("", 0, 1, f"note: {line}", notice=True)
  )
  kept = not (again or overwrite)
  done = first and kept and (workdir / "summary.json").exists()
  if processes.any_of(done):
    notify("it was finished before, and nothing is trained again")
    return workdirs.read_summary(workdir) if first else {}
  loader = Loader(data_dir, layout, config["machine"]["workers"])
  for program in programs:
    loader.load(program.parts[0].spec, tell)
  environment = describe_environment() | {
    "datasets": [dataset.describe() for dataset in loader.datasets.values()],
    "across": [program.across for program in programs],
  }
  timed = config["interleave"]
  saves = checkpoint_seconds and not timed
  later = "goes on from the last checkpoint" if saves else "starts afresh"
  with contextlib.ExitStack() as stack:
    stack.enter_context(processes.together(later))
    same = ("bnjax", "jax", "commit", "datasets")
    known = {name: environment[name] for name in same}
    processes.agree(results.to_strict(record | known))
    saved = None
    if first:
      check = stack.enter_context(locks.hold(workdir, notify))
      # nobody changes it from here on
      workdirs.check(workdir, record, overwrite=overwrite)
      if overwrite:
        workdirs.clear(workdir)
      journal = Journal(workdir, 0 if timed else checkpoint_seconds, check)
      saved = journal.begin(record, rules, environment, notify)
    saved, at = processes.share(saved), 0
    if saved is not None:
      programs, at = as_begun(programs, saved.position)
      tell(f"going on from step {saved.state['part']['step']} of part {at + 1}")
    parts = [part for program in programs for part in program.parts]
    trained = [network for part in parts for network in part.networks]
    name = workdir.resolve().name
    told = writers if first else ()
    writer = open_writers(told, workdir, name, trained, notify=notify)
    stack.callback(writer.close)
    asked = stack.enter_context(signals.watch())
    resume = None if saved is None else saved.state["part"]
    jobs = jobs_of(programs, loader, timed, at, resume)
    for job, records in take_turns(jobs, together=timed):
      stop = processes.any_of(asked())
      if first:
        journal.add(job.networks, records)
        if stop or journal.due():
          every = [part.networks for part in parts]
          journal.save(job.networks, every, records)
        writer.rows(records.rows)
        writer.probe_rows(records.probe_rows)
      report_progress(
        of_training(
          job.networks,
          records.step,
          records.rows,
          part=job.part,
          parts=len(parts),
        )
      )
      if stop:
        where = dict.fromkeys(network.arm for network in job.networks)
        raise signals.Preempted(
          f"stopped as asked, at step {records.step} of {', '.join(where)}; "
          "the same command "
          + ("without --overwrite " if overwrite else "")
          + ("goes on from there" if saves else "starts afresh")
        )
    if not first:
      return {}
    summary = journal.finish(*loader.test_set(parts[0].spec))
    writer.predictions(results.read_predictions(workdir).rows)
    return summary


def prepare(
  config: Mapping[str, Any],
  rules: results.Rules | None = None,
  data_dir: str | None = None,
  networks: Sequence[Network] | None = None,
) -> list[Checked]:
  """All that is to be trained, checked: the programs in order; see `run`.

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
