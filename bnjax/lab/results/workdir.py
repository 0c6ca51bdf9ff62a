"""A work directory: the files of a run, read together."""

import os
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from bnjax.lab.results.checks import check_rules
from bnjax.lab.results.recorded import Recorded, read_rules
from bnjax.lab.results.records import (
  Rows,
  read_json,
  read_rows,
  reading,
  replacing,
  sha256,
  write_json,
)
from bnjax.lab.results.rows import Row, Table, read_table
from bnjax.lab.results.rules import Rules
from bnjax.lab.results.schema import (
  check_config,
  check_environment,
  check_failed,
  check_prediction,
)
from bnjax.lab.results.summary import summarize
from bnjax.lab.results.thin import thick

METRICS = "metrics.json"  # what is kept of a run's metrics, see `thin`
FAILED = "failed.json"  # networks that could not be trained, and why
SUMS = "SHA256SUMS"  # of a finished run, as `sha256sum --check` takes them
_SUMMED = (
  "config.json",
  "environment.json",
  "metrics.jsonl",
  "predictions.jsonl",
  "predictions.png",
  "probes.jsonl",
  "summary.json",
)


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
  check_sums(folder)
  whole = read_json(folder / "config.json")
  check_config(whole)
  config = whole["config"]
  environment = read_json(folder / "environment.json")
  check_environment(environment)
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
  if os.path.lexists(folder / "probes.jsonl"):
    probes, more = read_table(folder / "probes.jsonl", probes=True)
    notices += more
  return Workdir(config, environment, rows, notices, probes, recorded)


def read_predictions(folder: pathlib.Path) -> Rows:
  """Reads `predictions.jsonl`; no rows where there is none.

  Raises:
    ValueError: it is damaged; the one-line message says how.
  """
  if not os.path.lexists(folder / "predictions.jsonl"):
    return Rows([], [])
  found = read_rows(folder / "predictions.jsonl")
  for row in found.rows:
    check_prediction(row)
  return found


def _failed(folder: pathlib.Path) -> list[str]:
  """What could not be trained, in a line, if anything."""
  if not os.path.lexists(folder / FAILED):
    return []
  whole = read_json(folder / FAILED)
  check_failed(whole)
  failed = whole.get("failed") or [{}]
  first = failed[0].get("error", "")
  count = "1 network" if len(failed) == 1 else f"{len(failed)} networks"
  return [f"{count} failed, see {FAILED}; the first one: {first}"]


def is_kept(folder: pathlib.Path) -> bool:
  """Whether a folder holds only what was kept of a run."""
  whole = os.path.lexists(folder / "metrics.jsonl")
  return not whole and os.path.lexists(folder / METRICS)


def write_summary(workdir: str | os.PathLike[str]) -> dict[str, Any]:
  """Summarizes a finished run into its `summary.json`, and returns that.

  The digests of its files are noted in `SHA256SUMS`: they are as the run left
  them, or readers say which one is not.

  Raises:
    FileNotFoundError, ValueError: as `read_workdir` and `summarize`.
  """
  folder = pathlib.Path(workdir)
  summary = read_workdir(folder).summarize()
  write_json(folder / "summary.json", summary)
  there = [name for name in _SUMMED if os.path.lexists(folder / name)]
  sums = "".join(f"{sha256(folder / name)}  {name}\n" for name in there)
  with replacing(folder / SUMS) as file:
    file.write(sums.encode())
  return summary


def check_sums(folder: pathlib.Path) -> None:
  """Compares the files of a finished run with its SHA256SUMS, if it has them.

  Raises:
    ValueError: one of them is not as the run left it.
  """
  finished = os.path.lexists(folder / "summary.json")
  if not finished or not os.path.lexists(folder / SUMS):
    return
  with reading(folder / SUMS) as file:
    lines = file.read().decode("utf-8", "replace").splitlines()
  for line in lines:
    wanted, _, name = line.partition("  ")
    if name not in _SUMMED:
      raise ValueError(f"{SUMS} is damaged; remove it to do without")
    if not os.path.lexists(folder / name):
      raise ValueError(f"{name} is gone; restore it, or remove {SUMS} too")
    if sha256(folder / name) != wanted:
      raise ValueError(
        f"{name} is not as the run left it: its SHA-256 is another; restore "
        f"it, or remove {SUMS} to take it as it is"
      )


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
    there, here = (_said(own, key) for own in (old, new))
    lines.append(f"{name}: {there} there, {here} here")
  return lines


def _said(own: Mapping[str, Any], key: str) -> str:
  """A value, as short as a line of them needs it."""
  if key not in own:
    return "absent"
  text = repr(own[key])
  if len(text) <= 80:
    return text
  return "given" if isinstance(own[key], Mapping) else f"{text[:76]} ..."
