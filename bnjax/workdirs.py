"""The work directory of a run: whose it is, and its first files."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bnjax import results
from bnjax.errors import UserError

# What a run writes; `config.json` and `environment.json` say how.
RECORDS = (
  "metrics.jsonl",
  "predictions.jsonl",
  "probes.jsonl",
  "summary.json",
)


def check(workdir: Path, config: Mapping[str, Any]) -> None:
  """Refuses a directory that holds something else than this experiment.

  Raises:
    UserError: it holds other files, or an experiment with another config.
  """
  try:
    old = results.read_json(workdir / "config.json").get("config", {})
  except ValueError as error:
    raise UserError(f"--workdir: {workdir}: {error}; remove it") from None
  except FileNotFoundError:
    if workdir.exists() and (not workdir.is_dir() or any(workdir.iterdir())):
      raise UserError(
        f"--workdir: {workdir} exists and holds no experiment; name another"
      ) from None
    return
  differences = results.differences(old, results.to_strict(config))
  if differences:
    raise UserError(
      f"--workdir: {workdir} holds an experiment with another config "
      f"({'; '.join(differences[:3])}); name another directory or remove it"
    )


def start(
  workdir: Path, config: Mapping[str, Any], environment: Mapping[str, Any]
) -> None:
  """Writes config.json and environment.json; removes an earlier run's records.

  Raises:
    UserError: the directory cannot be written to.
  """
  try:
    for name in RECORDS:
      (workdir / name).unlink(missing_ok=True)
    shutil.rmtree(workdir / "report", ignore_errors=True)
    results.write_json(workdir / "config.json", {"config": config})
    results.write_json(workdir / "environment.json", environment)
  except OSError as error:
    raise UserError(
      f"--workdir: cannot write to {workdir}: {error.strerror}"
    ) from None
