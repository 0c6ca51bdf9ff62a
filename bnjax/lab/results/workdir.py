"""A work directory: the files of a run, read together."""

import os
import pathlib
from collections.abc import Mapping
from typing import Any, NamedTuple

from bnjax.lab.results.records import read_json, read_rows, write_json
from bnjax.lab.results.summary import summarize


class Workdir(NamedTuple):
  """What a run left, finished or not.

  Attributes:
    config: the resolved config.
    environment: versions, devices, data sets, command.
    rows: the rows of `metrics.jsonl`.
    notices: what was odd about the files, one line each.
    probes: the rows of `probes.jsonl`; none where there is no such file.
  """

  config: dict[str, Any]
  environment: dict[str, Any]
  rows: list[dict[str, Any]]
  notices: list[str]
  probes: list[dict[str, Any]]


def read_workdir(workdir: str | os.PathLike[str]) -> Workdir:
  """Reads `config.json`, `environment.json`, `metrics.jsonl`, `probes.jsonl`.

  Raises:
    FileNotFoundError: one of them is missing; its `filename` says which.
    ValueError: one of them is damaged; the one-line message says which.
  """
  folder = pathlib.Path(workdir)
  config = read_json(folder / "config.json").get("config")
  if not isinstance(config, dict):
    raise ValueError("config.json does not hold a config")
  environment = read_json(folder / "environment.json")
  rows, notices = read_rows(folder / "metrics.jsonl")
  probes: list[dict[str, Any]] = []
  if (folder / "probes.jsonl").exists():
    probes, more = read_rows(folder / "probes.jsonl")
    notices += more
  return Workdir(config, environment, rows, notices, probes)


def write_summary(workdir: str | os.PathLike[str]) -> dict[str, Any]:
  """Summarizes a finished run into its `summary.json`.

  Args:
    workdir: the work directory.

  Returns:
    The summary, as `summarize` gives it.

  Raises:
    FileNotFoundError, ValueError: as `read_workdir` and `summarize`.
  """
  run = read_workdir(workdir)
  summary = summarize(run.config, run.environment, run.rows, run.probes)
  summary["notices"] = [*run.notices, *summary["notices"]]
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
