"""The work directory of a run: whose it is, and its first files."""

import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bnjax.lab import results
from bnjax.lab.errors import UserError
from bnjax.lab.experiment import locks
from bnjax.lab.experiment.compared import compared, trained
from bnjax.lab.results.workdir import FAILED

# What a run writes; `config.json`, `rules.json`, `environment.json` say how.
# Without the first of them it is not finished, so that one is removed first.
RECORDS = (
  "summary.json",
  results.SUMS,
  "metrics.jsonl",
  "predictions.jsonl",
  "predictions.png",
  "probes.jsonl",
)
_FOLDERS = ("params", "parts", "report")
_OTHERS = (
  "checkpoints",
  FAILED,
  "mlflow",
  "mlflow.json",
  "tensorboard",
  "wandb",
)
_BEGUN = ("config.json", "rules.json", "environment.json")


def check(
  workdir: Path,
  record: Mapping[str, Any],
  *,
  grows: bool = False,
  overwrite: bool = False,
) -> None:
  """Refuses a directory that holds something else than this experiment.

  What is trained is compared: complete specifications, whoever set what. A
  field that there was not yet when a run began counts as at its default.

  Args:
    workdir: the directory.
    record: for config.json: `config` and `arms`, their complete specifications.
    grows: whether it may have other points and seeds than it had.
    overwrite: whether it may hold any other run, which will be removed.

  Raises:
    UserError: it holds other files, or an experiment with another config, or
      a link in the place of what a run writes.
  """
  for name in (*RECORDS, *_FOLDERS, *_BEGUN, *_OTHERS, locks.NAME):
    if os.path.islink(workdir / name):
      raise UserError(
        f"--workdir: {workdir / name} is a link, and a run follows none; "
        "remove it or name another directory"
      )
  if overwrite and all((workdir / name).is_file() for name in _BEGUN[:2]):
    return
  try:
    if grows:
      results.check_sums(workdir)
    old = results.read_json(workdir / "config.json")
    results.check_config(old)
    results.read_rules(workdir)
  except ValueError as error:
    raise UserError(
      f"--workdir: {workdir}: {error}; put that right or name another directory"
    ) from None
  except (FileNotFoundError, NotADirectoryError):
    if workdir.exists() and (not workdir.is_dir() or _others(workdir)):
      raise UserError(
        f"--workdir: {workdir} exists and holds no experiment; name another"
      ) from None
    return
  differences = compared(old, record, grows)
  if differences:
    remove = "remove it" if grows else "replace it by --overwrite"
    raise UserError(
      f"--workdir: {workdir} holds an experiment with another config "
      f"({'; '.join(differences[:3])}); name another directory or {remove}"
    )


def start(
  workdir: Path,
  record: Mapping[str, Any],
  rules: results.Rules,
  environment: Mapping[str, Any],
) -> None:
  """Writes the first files of a run; removes an earlier run's records.

  Where the same was trained there before, the rules that this began with stay
  in rules.json beside the new ones: its results may have been seen.
  """
  try:
    for name in (*RECORDS, *_FOLDERS):
      _remove(workdir / name)
    record_rules(workdir, rules)
    results.write_json(workdir / "config.json", record)
    results.write_json(workdir / "environment.json", environment)
  except OSError as error:
    raise UserError(
      f"--workdir: cannot write to {workdir}: {error.strerror}"
    ) from None


def clear(workdir: Path) -> None:
  """Removes what a run left, and nothing else; by what it is known, last."""
  try:
    for name in (*RECORDS, *_FOLDERS, *_OTHERS, *_BEGUN[::-1]):
      _remove(workdir / name)
  except OSError as error:
    raise UserError(
      f"--overwrite: cannot remove {error.filename}: {error.strerror}"
    ) from None


def _remove(path: Path) -> None:
  if path.is_dir():
    shutil.rmtree(path)
  else:
    path.unlink(missing_ok=True)


def read_summary(workdir: Path) -> dict[str, Any]:
  """The summary of a finished run."""
  try:
    return results.read_json(workdir / "summary.json")
  except ValueError as error:
    raise UserError(f"--workdir: {workdir}: {error}; remove it") from None


def record_rules(workdir: Path, rules: results.Rules) -> None:
  """Writes rules.json; what training began with stays as it was."""
  there = (workdir / "rules.json").exists()
  first = results.read_rules(workdir).first if there else rules
  results.write_rules(workdir, rules, first)


def resume(
  workdir: Path,
  rules: results.Rules,
  environment: Mapping[str, Any],
  same: bool,
) -> None:
  """Notes in environment.json with what a stopped run goes on.

  Raises:
    UserError: the data are not those that it began with, or files that say so
      were changed.
  """
  try:
    old = results.read_json(workdir / "environment.json")
  except FileNotFoundError:
    raise UserError(
      f"--workdir: {workdir} holds no environment.json, which says what data "
      "the run began with; remove it to start afresh"
    ) from None
  results.check_environment(old)
  check_data(workdir, old, environment)
  if not same:
    raise UserError(
      f"--workdir: the checkpoint in {workdir} is of another config or other "
      "data than config.json and environment.json say, so one of these was "
      "changed; bring it back, or remove the directory to start afresh"
    )
  record_rules(workdir, rules)
  old["resumed"] = [*(old.get("resumed") or []), environment]
  results.write_json(workdir / "environment.json", old)


def check_data(
  workdir: Path, old: Mapping[str, Any], new: Mapping[str, Any]
) -> None:
  """Refuses other data than a run began with.

  Raises:
    UserError: a data set has another digest; names both.
  """
  known: dict[Any, list[Any]] = {}
  for dataset in old.get("datasets") or []:
    name, digest = _identity(dataset)
    known.setdefault(name, []).append(digest)
  for dataset in new["datasets"]:
    name, digest = _identity(dataset)
    if digest not in known.get(name, [digest]):
      raise UserError(
        f"--workdir: {workdir} began with {name[0]} of {known[name][0]}, and "
        f"here it is {digest}; bring back the data, or name another directory"
      )


def digest(record: Mapping[str, Any], environment: Mapping[str, Any]) -> str:
  """The SHA-256 of what is trained, and of which data it is trained on."""
  data = [_identity(dataset) for dataset in environment["datasets"]]
  whole = json.dumps([trained(results.to_strict(record)), data], sort_keys=True)
  return hashlib.sha256(whole.encode()).hexdigest()


def _identity(dataset: Mapping[str, Any]) -> tuple[Any, Any]:
  """What a data set is called, and the digest or (streamed) mean of it."""
  name = dataset.get("name"), dataset.get("label")
  return name, dataset.get("digest") or dataset.get("mean")


def _others(workdir: Path) -> bool:
  """Whether there are files that a run did not begin with."""
  begun = (locks.NAME, *(f".{name}." for name in _BEGUN), "rules.json")
  return any(not p.name.startswith(begun) for p in workdir.iterdir())
