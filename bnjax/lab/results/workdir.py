"""A work directory: the files of a run, read together."""

import os
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from bnjax.lab.results.checks import check_rules
from bnjax.lab.results.recorded import Recorded, read_rules
from bnjax.lab.results.records import read_json, write_json
from bnjax.lab.results.rows import Row, Table, read_table
from bnjax.lab.results.rules import Rules
from bnjax.lab.results.summary import summarize
from bnjax.lab.results.thin import thick

METRICS = "metrics.json"  # what is kept of a run's metrics, see `thin`
FAILED = "failed.json"  # networks that could not be trained, and why


class Workdir(NamedTuple):
  """What a run left, finished or not, or what was kept of it.

  Attributes:
    config: what was trained, resolved.
    environment: versions, devices, data sets, command.
    rows: those of `metrics.jsonl`.
    notices: what was odd about the files, one line each.
    probes: those of `probes.jsonl`; none where there is no such file.
    recorded: its rules, and those that training began with.
  """

  config: dict[str, Any]
  environment: dict[str, Any]
  rows: Sequence[Row]
  notices: list[str]
  probes: Sequence[Row]
  recorded: Recorded = Recorded()

  @property
  def rules(self) -> Rules:
    """How it is judged."""
    return self.recorded.rules

  def with_rules(self, rules: Rules) -> "Workdir":
    """The same run, to be judged by other rules.

    Raises:
      ValueError: a rule asks for what was not recorded.
    """
    names = Table.of_metrics(self.rows).metrics
    check_rules(rules, self.config, names)
    return self._replace(recorded=self.recorded._replace(rules=rules))

  def summarize(self) -> dict[str, Any]:
    """Its summary, see `bnjax.lab.results.summary`."""
    summary = summarize(
      self.config, self.environment, self.rows, self.probes, self.recorded
    )
    summary["notices"] = [*self.notices, *summary["notices"]]
    return summary


def read_workdir(workdir: str | os.PathLike[str]) -> Workdir:
  """Reads the records of a run, or what was kept of one.

  They are `config.json`, `rules.json`, `environment.json`, `metrics.jsonl` (or
  `metrics.json`, where that alone was kept) and `probes.jsonl`.

  Raises:
    FileNotFoundError: one of them is missing; its `filename` says which.
    ValueError: one of them is damaged; the one-line message says which.
  """
  folder = pathlib.Path(workdir)
  config = read_json(folder / "config.json").get("config")
  if not isinstance(config, dict):
    raise ValueError("config.json does not hold a config")
  environment = read_json(folder / "environment.json")
  recorded = read_rules(folder)
  notices = [*recorded.notices, *_failed(folder)]
  if is_kept(folder):
    kept = thick(read_json(folder / METRICS))
    rows = Table.of_metrics(kept.rows + kept.judged)
    probes = Table.of_probes(kept.probes)
    return Workdir(config, environment, rows, notices, probes, recorded)
  rows, more = read_table(folder / "metrics.jsonl")
  notices += more
  probes = Table.of_probes(())
  if (folder / "probes.jsonl").exists():
    probes, more = read_table(folder / "probes.jsonl", probes=True)
    notices += more
  return Workdir(config, environment, rows, notices, probes, recorded)


def _failed(folder: pathlib.Path) -> list[str]:
  """What could not be trained, in a line, if anything."""
  if not (folder / FAILED).exists():
    return []
  failed = read_json(folder / FAILED).get("failed") or [{}]
  first = failed[0].get("error", "")
  count = "1 network" if len(failed) == 1 else f"{len(failed)} networks"
  return [f"{count} failed, see {FAILED}; the first one: {first}"]


def is_kept(folder: pathlib.Path) -> bool:
  """Whether a folder holds only what was kept of a run."""
  whole = (folder / "metrics.jsonl").exists()
  return not whole and (folder / METRICS).exists()


def write_summary(workdir: str | os.PathLike[str]) -> dict[str, Any]:
  """Summarizes a finished run into its `summary.json`.

  Args:
    workdir: the work directory.

  Returns:
    The summary, as `summarize` gives it.

  Raises:
    FileNotFoundError, ValueError: as `read_workdir` and `summarize`.
  """
  summary = read_workdir(workdir).summarize()
  write_json(pathlib.Path(workdir) / "summary.json", summary)
  return summary


def differences(
  old: Mapping[str, Any], new: Mapping[str, Any], prefix: str = ""
) -> list[str]:
  """Where two configs differ, one line a field, by its dotted name.

  >>> differences({"steps": 10, "norm": {"decay": 0.9}},
  ...             {"steps": 20, "norm": {"decay": 0.9}, "seed": 0})
  ['steps: 10 there, 20 here', 'seed: absent there, 0 here']
  """
  lines = []
  for key in dict.fromkeys([*old, *new]):
    name = f"{prefix}{key}"
    if key in old and key in new:
      was, now = old[key], new[key]
      if isinstance(was, Mapping) and isinstance(now, Mapping):
        lines += differences(was, now, name + ".")
        continue
      if was == now:
        continue
    there = repr(old[key]) if key in old else "absent"
    here = repr(new[key]) if key in new else "absent"
    lines.append(f"{name}: {there} there, {here} here")
  return lines
