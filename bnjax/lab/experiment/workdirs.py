"""The work directory of a run: whose it is, and its first files."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bnjax.lab import results
from bnjax.lab.config import GROUPS
from bnjax.lab.errors import UserError
from bnjax.lab.experiment import locks

# What a run writes; `config.json` and `environment.json` say how.
RECORDS = (
  "metrics.jsonl",
  "predictions.jsonl",
  "predictions.png",
  "probes.jsonl",
  "summary.json",
)
# Groups that lie resolved in the arms, and what the machine allows.
_NOT_TRAINED = (*GROUPS, "machine")
FOLDERS = ("checkpoints", "params", "report")


def check(
  workdir: Path, config: Mapping[str, Any], arms: Mapping[str, Any]
) -> None:
  """Refuses a directory that holds something else than this experiment.

  What is trained is compared: complete specifications, whoever set what.

  Args:
    workdir: the directory.
    config: of the experiment.
    arms: the complete specification of each arm.

  Raises:
    UserError: it holds other files, or an experiment with another config.
  """
  try:
    old = results.read_json(workdir / "config.json")
  except ValueError as error:
    raise UserError(f"--workdir: {workdir}: {error}; remove it") from None
  except (FileNotFoundError, NotADirectoryError):
    if workdir.exists() and (not workdir.is_dir() or _others(workdir)):
      raise UserError(
        f"--workdir: {workdir} exists and holds no experiment; name another"
      ) from None
    return
  new = results.to_strict({"config": config, "arms": arms})
  differences = results.differences(_trained(old), _trained(new))
  if differences:
    raise UserError(
      f"--workdir: {workdir} holds an experiment with another config "
      f"({'; '.join(differences[:3])}); name another directory or remove it"
    )


def start(
  workdir: Path,
  config: Mapping[str, Any],
  arms: Mapping[str, Any],
  environment: Mapping[str, Any],
) -> None:
  """Writes config.json and environment.json; removes an earlier run's records.

  Raises:
    UserError: the directory cannot be written to.
  """
  try:
    for name in RECORDS:
      (workdir / name).unlink(missing_ok=True)
    for name in FOLDERS:
      shutil.rmtree(workdir / name, ignore_errors=True)
    results.write_json(
      workdir / "config.json", {"config": config, "arms": arms}
    )
    results.write_json(workdir / "environment.json", environment)
  except OSError as error:
    raise UserError(
      f"--workdir: cannot write to {workdir}: {error.strerror}"
    ) from None


def resume(workdir: Path, environment: Mapping[str, Any]) -> None:
  """Notes in environment.json with what a stopped run goes on."""
  old = results.read_json(workdir / "environment.json")
  old["resumed"] = [*old.get("resumed", []), environment]
  results.write_json(workdir / "environment.json", old)


def _trained(record: Mapping[str, Any]) -> dict[str, Any]:
  """Of a config.json, what is trained, without what the machine allows."""
  whole: Mapping[str, Any] = record.get("config") or {}
  arms = record.get("arms", whole.get("arms"))
  return {
    **{k: v for k, v in whole.items() if k not in _NOT_TRAINED},
    "arms": arms,
  }


def _others(workdir: Path) -> bool:
  """Whether there are files that a run did not begin with."""
  begun = (locks.NAME, ".config.json.", ".environment.json.")
  return any(not p.name.startswith(begun) for p in workdir.iterdir())
